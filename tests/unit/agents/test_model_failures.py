"""What a server's refusal means, and what it may say."""

import pytest

from agents.llm.errors import (
    ModelError,
    NotAllowedError,
    OverloadedError,
    RejectedError,
    ServerFaultError,
    TooLongError,
    UnreachableError,
)
from agents.llm.failures import excerpt, failure_of, retry_after_seconds

DATE = "Sun, 22 Nov 2026 12:00:00 GMT"


def refusal(status: int, body: str, **headers: str) -> ModelError:
    return failure_of("http://tgi:8080/generate", status, headers, body.encode())


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (429, '{"error": "Model is overloaded", "error_type": "overloaded"}', OverloadedError),
        (429, '{"error": {"message": "quota", "code": "insufficient_quota"}}', NotAllowedError),
        (503, '{"error": {"code": 503, "message": "Loading model"}}', OverloadedError),
        (401, "", NotAllowedError),
        (402, '{"error": "out of credits"}', NotAllowedError),
        (403, "<html>no</html>", NotAllowedError),
        (413, "", TooLongError),
        (422, '{"error": "Input validation error: `inputs` must have less than 9 tokens. '
              'Given: 12", "error_type": "validation"}', TooLongError),
        (422, '{"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be '
              '<= 9. Given: 5 `inputs` tokens and 8 `max_new_tokens`"}', TooLongError),
        (422, '{"error": "Input validation error: `inputs` cannot be empty"}', RejectedError),
        (400, '{"error": {"code": 400, "message": "request (5009 tokens) exceeds the available '
              'context size (1024 tokens)", "type": "exceed_context_size_error"}}', TooLongError),
        (400, '{"message": "This model\'s maximum context length is 4096 tokens."}', TooLongError),
        (400, '{"error": {"message": "unknown field"}}', RejectedError),
        (404, '{"detail": "Not Found"}', RejectedError),
        (307, "", RejectedError),
        (424, '{"error": "Request failed during generation"}', ServerFaultError),
        (408, "", ServerFaultError),
        (500, '{"error": "Incomplete generation"}', ServerFaultError),
        (502, "<html>Bad Gateway</html>", UnreachableError),
        (504, "", UnreachableError),
        (599, "", ServerFaultError),
    ],
)  # fmt: skip
def test_a_status_and_its_words_decide(status: int, body: str, expected: type[ModelError]):
    error = refusal(status, body)
    assert type(error) is expected
    assert f"http://tgi:8080/generate answered {status}" in str(error)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "999999999"}, 3600.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT", "date": DATE}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT", "date": DATE}, 0.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 -0000", "date": DATE}, None),
        ({"retry-after": "soon", "date": DATE}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_when_to_come_back(headers: dict[str, str], seconds: float | None):
    assert retry_after_seconds(headers) == seconds


def test_what_is_repeated_is_short_printable_and_without_keys():
    body = '{"error": "key hf_abcdefgh1234 or Bearer abc.def or my-own-secret\\n\\u001b[31mred"}'
    said = excerpt(body.encode() + b" ", secret="my-own-secret")
    assert "hf_" not in said and "abc.def" not in said and "my-own-secret" not in said
    assert said.startswith("key *** or Bearer *** or ***")
    assert said.isprintable()
    assert len(excerpt(b"x" * 100_000)) == 200
    assert excerpt(b"") == "nothing"
    assert excerpt(b"[" * 60_000)
    assert excerpt(b"\xff\xfe") == "nothing" or excerpt(b"\xff\xfe").isprintable()
    assert excerpt(b" <!doctype html><p>hf_abcdefgh") == "an HTML page, as a proxy sends"
