import base64
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.ingest.redact import Redactor, luhn

REDACTOR = Redactor()
UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
ALNUM = UPPER + UPPER.lower()

SECRETS = [
    ("login by jane.doe@example.co.uk ok", "jane.doe@example"),
    ("key AKIAQ7WERTYUIOPASDFG used", "AKIAQ7WERTYUIOPASDFG"),
    ("remote gh" + "p_" + "a1B2c3D4e5F6g7H8i9J0k1L2 rejected", "a1B2c3D4e5F6"),
    ("slack xoxb-1234567890-abcdefghij", "1234567890-abcdefghij"),
    ("maps key AIza" + "S" * 35, "SSSSSSSS"),
    ("stripe sk_live_4eC39HqLyjWDarjtT1zdp7dc", "4eC39HqLyjWDarjt"),
    ("Authorization: Bearer abcdef0123456789.token", "abcdef0123456789"),
    ('{"authorization":"Basic dXNlcjpwYXNzd29yZA=="}', "dXNlcjpwYXNz"),
    ("-----BEGIN RSA PRIVATE KEY-----MIIEpAIBAAKCAQEA-----END RSA PRIVATE KEY-----", "MIIEpAIB"),
    ("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIB", "MHcCAQEEIB"),
    ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_DEF-1", "eyJzdWIiOiIxIn0"),
    ("card 4111 1111 1111 1111 declined", "4111"),
    ("card=4111-1111-1111-1111", "4111"),
    ("pan 378282246310005;", "378282246310005"),
    ("password=hunter2 user=bob", "hunter2"),
    ("DB_PASSWORD: 'tr0ub4 dor'", "tr0ub4"),
    ('{"user":"bob","password":"hunter2"}', "hunter2"),
    ('{\\"clientSecret\\":\\"s3cr3tvalue\\"}', "s3cr3tvalue"),
    ("connect postgres://app:s3cr3t@db:5432/x", "s3cr3t"),
    ("GET /cb?access_token=abc123def&x=1", "abc123def"),
    ("mysql --password hunter2 -u root", "hunter2"),
    ("ALTER USER x IDENTIFIED BY 'hunter2'", "hunter2"),
    ("open /home/jdoe/.ssh/config failed", "jdoe"),
    ("open /Users/jdoe/Library failed", "jdoe"),
    ("open C:\\Users\\jdoe\\AppData failed", "jdoe"),
    ("api-key=abcDEF123", "abcDEF123"),
    ("Set-Cookie: sid=31d4d96e407aad42; Path=/", "31d4d96e407aad42"),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_the_secret_is_gone_and_stays_gone(text: str, secret: str) -> None:
    redacted = REDACTOR.redact(text)
    assert secret not in redacted
    assert "<" in redacted
    assert REDACTOR.redact(redacted) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "Failed password for invalid user admin from 10.0.0.1 port 22 ssh2",
        "block blk_-1608999687919862906 terminating",
        "token expired",
        "password: required",
        "order 4111111111111112 shipped",
        "at com.example.Foo.bar(Foo.java:12)",
        "GET http://example.com/path?x=1 200",
        "2026-11-22 15:09:32 INFO keys=12 compass: north",
    ],
)
def test_harmless_lines_stay_as_they_are(text: str) -> None:
    assert REDACTOR.redact(text) == text


def test_what_surrounds_a_secret_stays() -> None:
    redacted = REDACTOR.redact("connect postgres://app:s3cr3t@db:5432/x as jane@example.com now")
    assert redacted.startswith("connect postgres://<credentials>@db:5432/x")
    assert redacted.endswith(" as <email> now")


def test_addresses_go_only_where_configured() -> None:
    text = "from 192.168.10.4 and fe80::1ff:fe23:4567:890a at 12:30:45"
    assert REDACTOR.redact(text) == text
    assert Redactor(redact_ips=True).redact(text) == "from <ip> and <ip> at 12:30:45"


def test_luhn_knows_cards() -> None:
    assert luhn("4111111111111111")
    assert not luhn("4111111111111112")


def test_a_remembered_harmless_text_does_not_hide_a_card_of_the_same_form() -> None:
    redactor = Redactor()
    harmless, card = "order 4111111111111112 paid", "order 4111111111111111 paid"
    assert redactor.redact(harmless) == harmless
    assert redactor.redact(card) == "order <card> paid"


PREFIX = st.text(alphabet=" abcXYZ=:;,\"'[(/019-", max_size=12).filter(lambda t: "<" not in t)


@settings(max_examples=60, deadline=None)
@given(PREFIX, st.text(ALNUM, min_size=16, max_size=16), PREFIX)
def test_tokens_never_leave_wherever_they_stand(before: str, body: str, after: str) -> None:
    tokens = ["AKIA" + body.upper(), "gh" + "p_" + body, "glpat-" + body, "sk_live_" + body]
    for token in tokens:
        assert token not in REDACTOR.redact(f"{before}{token} {after}")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from("345"), st.lists(st.sampled_from("0123456789"), min_size=14, max_size=14))
def test_cards_never_leave(first: str, rest: list[str]) -> None:
    body = first + "".join(rest)
    card = next(body + digit for digit in "0123456789" if luhn(body + digit))
    for text in (f"pay {card}!", f'{{"pan":"{card}"}}', " ".join(re.findall("....", card))):
        redacted = REDACTOR.redact(text)
        assert card not in redacted.replace(" ", "")


@settings(max_examples=60, deadline=None)
@given(st.text(ALNUM, min_size=6, max_size=20), st.sampled_from(["password", "api_key", "SECRET"]))
def test_assigned_secrets_never_leave(value: str, name: str) -> None:
    secret = "Zq7" + value
    for text in (f"{name}={secret}", f'{{"{name}": "{secret}"}}', f"x;{name}:{secret},y"):
        assert secret not in REDACTOR.redact(text)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(ALNUM, min_size=1, max_size=6), st.integers(), min_size=1))
def test_signed_tokens_never_leave(claims: dict[str, int]) -> None:
    def part(document: object) -> str:
        raw = str(document).replace("'", '"').encode()
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    token = f"{part({'alg': 'x'})}.{part(claims)}.c2lnbmF0dXJl"
    assert token.startswith("eyJ")
    assert part(claims) not in REDACTOR.redact(f"auth {token} ok")


@given(
    st.sampled_from(SECRETS),
    st.lists(st.text("0aBcdef", min_size=8, max_size=20), min_size=2, max_size=2),
    st.sampled_from([" ", "-", "_", "~", "/", "="]),
)
def test_what_was_learnt_from_one_identifier_hides_no_secret_beside_another(secret, words, gap):
    warm, text = Redactor(), secret[0]
    for word in words:
        for line in (f"{word}{gap}{text}", f"{text}{gap}{word}"):
            warm.redact(line.replace(text, "harmless"))
            assert warm.redact(line) == Redactor().redact(line)
    long_number = f"{words[0]}{gap}4111111111111111"
    assert warm.redact(long_number) == Redactor().redact(long_number)


@given(st.sampled_from(SECRETS), st.randoms(use_true_random=False))
def test_what_was_learnt_from_a_line_hides_no_secret_in_one_with_other_digits(secret, source):
    def redrawn(text: str) -> str:
        return re.sub(r"\d", lambda _: str(source.randrange(10)), text)

    warm = Redactor()
    warm.redact(redrawn(secret[0]))
    for text in (secret[0], redrawn(secret[0])):
        assert warm.redact(text) == Redactor().redact(text)


def test_a_reason_that_ends_in_a_word_for_secrets_hides_nothing() -> None:
    line = "sign-in refused reason=wrong-password ip=203.0.113.9"
    assert Redactor().redact(line) == line
    assert "hunter2" not in Redactor().redact("mysql --password hunter2 -h db")
