import random

from hypothesis import given
from hypothesis import strategies as st

from schemas.vocabulary import Level
from streams.shape.shaper import DIGITS_TO_ZERO, TEXT_LIMIT, Shaper, shape_id

WORDS = st.sampled_from(
    [
        "2031-02-03",
        "04:05:06,789",
        "Feb",
        "3",
        "INFO",
        "[main]",
        "ERROR:",
        '{"msg":',
        '"x"}',
        "level=warn",
        "user",
        "root",
        "10.0.0.1:80",
        "/var/log/x",
        "blk_12",
        "took",
        "12ms",
        "503",
        "HTTP/1.1",
        '"GET',
        "\tat",
        "ÿ",
        "a.b.C:",
        "-",
        "|",
        "=",
        "[",
        "(",
        ",",
        "status=500",
        "<34>1",
        "☃",
        "<*>",
        "",
    ]
)
LINE = st.one_of(
    st.lists(WORDS, max_size=14).map(lambda words: " ".join(words).encode()),
    st.binary(max_size=80).filter(lambda line: b"\n" not in line),
)


@given(LINE)
def test_any_line_has_a_shape_with_spans_inside_the_line(line):
    key = line.translate(DIGITS_TO_ZERO)
    assert len(key) == len(line)
    info = Shaper().info(key)
    assert len(info.shape_id) == 16
    assert 0 < len(info.text) <= TEXT_LIMIT
    if info.stamp_span is not None:
        start, end = info.stamp_span
        assert 0 <= start < end <= len(line)
        assert line[start:end].strip() == line[start:end]
    if info.status_pos is not None:
        assert line[info.status_pos : info.status_pos + 3].isdigit()
    for start, end, factor in info.duration_spans:
        assert float(line[start:end]) >= 0
        assert factor > 0


@given(st.lists(LINE, max_size=30), st.randoms(use_true_random=False))
def test_shapes_do_not_depend_on_order_or_on_what_is_cached(lines, source):
    shuffled = list(lines)
    source.shuffle(shuffled)
    wide, narrow = Shaper(), Shaper(key_capacity=2, token_capacity=2)
    first = {line: wide.line(line) for line in lines}
    second = {line: narrow.line(line) for line in shuffled}
    assert first == second


@given(LINE, st.integers(min_value=0, max_value=2**32))
def test_lines_that_differ_in_digits_alone_share_their_shape(line, seed):
    source = random.Random(seed)
    other = bytes(source.choice(b"0123456789") if 48 <= byte <= 57 else byte for byte in line)
    assert Shaper().line(line) == Shaper().line(other)


def test_caches_are_bounded():
    shaper = Shaper(key_capacity=10, token_capacity=10)
    for number in range(500):
        shaper.info(b"word" + bytes([97 + number % 26, 97 + number // 26]) + b" 0")
    assert shaper.cached_keys <= 20


def test_long_lines_are_shaped_and_not_remembered():
    shaper = Shaper()
    info = shaper.info(b"word " * 100_000)
    assert len(info.text) <= TEXT_LIMIT
    assert shaper.cached_keys == 0


def test_level_and_status_class_are_part_of_the_id():
    shaper = Shaper()
    warning = shaper.line(b"2031-02-03 04:05:06 WARN disk is slow")
    error = shaper.line(b"2031-02-03 04:05:06 ERROR disk is slow")
    assert warning.text == error.text
    assert warning.shape_id != error.shape_id
    assert warning.shape_id == shape_id(Level.WARN, "disk is slow")


def test_status_and_duration_are_found_where_they_stand():
    line = b'10.0.0.7 - - [03/Feb/2031:04:05:06 +0000] "GET /cart/7 HTTP/1.1" 503 12 "-" "curl/8"'
    info = Shaper().line(line)
    assert info.status_pos is not None
    assert line[info.status_pos : info.status_pos + 3] == b"503"
    assert info.stamp_format == "clf"
    assert len({info.with_status(digit) for digit in range(1, 6)}) == 5
    assert info.with_status(9) == info.shape_id
    assert info == Shaper().line(line.replace(b"/cart/7", b"/cart/8"))


def test_status_of_other_forms():
    shaper = Shaper()
    for line in (
        b"handled path=/cart status=503 bytes=12",
        b'"GET /cart HTTP/1.1" status: 503 len: 12',
        b'{"msg":"handled","status":503}',
        b"Completed 503 Service Unavailable in 12ms",
        b"2031-02-03 04:05:06 10.0.0.7 GET /cart - 80 - 10.0.0.9 curl - 503 0 0 12",
    ):
        position = shaper.line(line).status_pos
        assert position is not None, line
        assert line[position : position + 3] == b"503"
    assert shaper.line(b"connection from 503 hosts").status_pos is None


def test_durations_with_their_units():
    line = b"query took 12.5 ms, total 3s, waited 2 min, bytes 77"
    spans = Shaper().line(line).duration_spans
    assert [(line[a:b], factor) for a, b, factor in spans] == [
        (b"12.5", 1.0),
        (b"3", 1000.0),
        (b"2", 60_000.0),
    ]


def test_continuation_lines_are_told_from_heads():
    shaper = Shaper()
    for line in (
        b"\tat com.acme.Cart.add(Cart.java:31)",
        b"Caused by: java.io.IOException: no route",
        b'  File "/srv/cart.py", line 31, in add',
        b"... 12 more",
        b"goroutine 12 [running]:",
    ):
        assert shaper.line(line).is_continuation, line
    for line in (b"2031-02-03 04:05:06 INFO all is well", b"Traceback (most recent call last):"):
        assert not shaper.line(line).is_continuation, line
    assert shaper.line(b"java.io.IOException: no route").is_exception


def test_lines_that_are_not_utf8_have_a_shape():
    info = Shaper().line(b"caf\xe9 closed 12")
    assert info.text == "caf\N{REPLACEMENT CHARACTER} closed <*>"
    assert Shaper().line("café closed 12".encode()).text == "café closed <*>"
