import pytest

from streams.shape.mask import Masker, join_masked, mask_token


@pytest.mark.parametrize(
    ("token", "masked"),
    [
        ("disk", "disk"),
        ("000", "<*>"),
        ("-0.00", "<*>"),
        ("(000),", "(<*>),"),
        ("0x00fe", "<*>"),
        ("deadbeefcafe", "<*>"),
        ("00.0.0.0:0000", "<*>:<*>"),
        ("/00.0.0.0:0000", "/<*>:<*>"),
        ("db.shop.example.com:0000", "<*>:<*>"),
        ("db.shop.example.com", "<*>"),
        ("/var/lib/shop/cart.db", "<*>"),
        ("chdir(/home/ann/cart)", "chdir(<*>)"),
        ("C:\\shop\\cart.db", "<*>"),
        ("https://shop.example.com/cart?x=0", "https://<*>"),
        ("ann@example.com", "<*>"),
        ("blk_-0000000", "blk_<*>"),
        ("uid=0", "uid=<*>"),
        ("user=root", "user=root"),
        ("ready=false", "ready=<*>"),
        ("Cart.java:000", "Cart.java:<*>"),
        ("org.acme.cart.Basket", "org.acme.cart.Basket"),
        ("00:0a:0b:0c:0d:0e", "<*>"),
        ("fe00::0", "<*>"),
        ("0a0b0c0d-0000-0000-0000-0a0b0c0d0e0f", "<*>"),
        ("()", "(<*>)"),
        ("jk0_init()", "jk<*>_init()"),
        ("00.0KB", "<*>"),
        ("0/Feb/0000:00:00:00", "<*>"),
    ],
)
def test_tokens_are_masked_by_their_type(token, masked):
    assert mask_line(token) == masked


def mask_line(line: str) -> str:
    return join_masked(Masker().mask_words(line.split(" ")))


@pytest.mark.parametrize("digits", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("form", ["memory:{}", "port={}", "took {} ms", "job_{}", "[{}]", "{}%"])
def test_the_number_of_digits_does_not_matter(form, digits):
    assert mask_line(form.format("0" * digits)) == mask_line(form.format("0"))


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("size 00.0 KB, free 0 MB", "size <*>, free <*>"),
        ("took 0.0s and 00ms", "took <*> and <*>"),
        ("at Sat Jul 0 00:00:00 0000", "at <*>"),
        ("delete blk_0 blk_00 blk_000", "delete blk_<*>"),
        ("Invalid user ann from 0.0.0.0", "Invalid user <*> from <*>"),
        ("opened for user ann by root", "opened for user <*> by root"),
        ("no such user here", "no such user here"),
        ("000 bytes (0.0 KB) sent", "<*> bytes sent"),
        ("GET /cart HTTP/0.0", "GET <*> HTTP/<*>"),
        ("two   spaces", "two spaces"),
    ],
)
def test_neighbours_are_read_together(line, masked):
    assert mask_line(line) == masked


def test_the_token_cache_is_bounded_and_changes_nothing():
    small, large = Masker(token_capacity=4), Masker()
    words = [f"word{chr(97 + n)}_0" for n in range(26)] * 2
    assert small.mask_words(words) == large.mask_words(words)
    assert small.cached_tokens <= 8


def test_a_masked_token_stays_masked():
    for token in ("<*>", "a=<*>", "(<*>),", "<*>:<*>"):
        assert mask_token(token) == token
