"""What a fake model server does with one request instead of answering it well.

Each function returns an Act; give them to `server.script(...)`, one for each coming generation.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Act:
    """One behaviour; without `status` the answer is the usual one, in the way that is said here."""

    status: int | None = None
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    text: str | None = None
    """What the model writes instead of its usual answer."""
    finish_reason: str | None = None
    hangs: bool = False
    drops: str | None = None
    """`before` any byte, or `during` the body."""
    trickle_seconds: float | None = None
    """Pause after each byte."""


def _error(status: int, error: str, error_type: str, **headers: str) -> Act:
    body = json.dumps({"error": error, "error_type": error_type}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Act(status=status, body=body, headers=named)


def overloaded(retry_after: str | None = None) -> Act:
    headers = {"Retry_After": retry_after} if retry_after else {}
    return _error(429, "Model is overloaded", "overloaded", **headers)


def unavailable(retry_after: str | None = None) -> Act:
    headers = {"Retry_After": retry_after} if retry_after else {}
    return _error(503, "unhealthy", "healthcheck", **headers)


def too_long() -> Act:
    message = "`inputs` must have less than 1024 tokens. Given: 4096"
    return _error(422, f"Input validation error: {message}", "validation")


def invalid() -> Act:
    message = "`temperature` must be strictly positive"
    return _error(422, f"Input validation error: {message}", "validation")


def generation_failed() -> Act:
    return _error(424, "Request failed during generation: Server error: CUDA", "generation")


def incomplete() -> Act:
    return _error(500, "Incomplete generation", "incomplete_generation")


def refused(status: int, said: str = "") -> Act:
    return Act(status=status, body=said.encode(), content_type="text/plain")


def error_page(status: int = 502) -> Act:
    page = b"<html><head><title>Bad Gateway</title></head><body>nginx</body></html>"
    return Act(status=status, body=page, content_type="text/html")


def redirect(to: str) -> Act:
    return Act(status=307, headers={"Location": to})


def not_json() -> Act:
    return Act(status=200, body=b"upstream says hello")


def half_json() -> Act:
    """The body ends in the middle of its JSON, though HTTP says that it is whole."""
    return Act(status=200, body=b'{"generated_text": "{\\"category\\": \\"Net')


def wrong_form() -> Act:
    """JSON, but nothing that this route would ever send."""
    return Act(status=200, body=b'{"choices": [], "generated_text": null}')


def huge(size: int) -> Act:
    return Act(status=200, body=b'{"generated_text": "' + b"x" * size + b'"}')


def packed() -> Act:
    """A body that claims to be packed, though the client asked for it as it is."""
    return Act(status=200, body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})


def slow(seconds: float) -> Act:
    return Act(delay_seconds=seconds)


def hang() -> Act:
    return Act(hangs=True)


def drop() -> Act:
    """The connection ends before any answer."""
    return Act(drops="before")


def cut_off() -> Act:
    """The connection ends in the middle of the answer."""
    return Act(drops="during")


def trickle(pause_seconds: float) -> Act:
    return Act(trickle_seconds=pause_seconds)


def writes(text: str, finish_reason: str = "eos_token") -> Act:
    """The model writes `text`, whatever it was asked."""
    return Act(text=text, finish_reason=finish_reason)


def truncated() -> Act:
    """The model runs into its limit of tokens in the middle of its JSON."""
    return writes('{"category": "Net', "length")
