"""What a server's refusal means: an HTTP status with its body becomes one error of the tree.

Comes in: who answered, status, headers, the start of the body. Goes out: a ModelError. Promise:
pure; the text is one short line, whatever the server wrote, and holds no key.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from agents.llm.errors import (
    ModelError,
    NotAllowedError,
    OverloadedError,
    RejectedError,
    ServerFaultError,
    TooLongError,
    UnreachableError,
)

MODEL_SETTINGS = "OPSPILOT_MODEL__"
MOST_RETRY_SECONDS = 3_600.0
"""A server that asks for more is out of order for this call anyway."""
_EXCERPT_CHARS = 200
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\ud7ff]+")
_KEYS = re.compile(r"\b(?:hf_|sk-)[\w-]{6,}|(?<=Bearer )\S+", re.IGNORECASE)
_LENGTH = re.compile(
    r"exceed_context_size|context_length_exceeded"
    r"|context (?:length|size|window)|maximum (?:model|input) length|too (?:long|many tokens)"
    r"|`?inputs`?(?: tokens\b.*| )must (?:be <=|have less than)",
    re.IGNORECASE | re.DOTALL,
)
"""How TGI, vLLM, llama.cpp and OpenAI say that a prompt does not fit (all with 400 or 422)."""


def failure_of(
    asked: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    secret: str | None = None,
    settings: str = MODEL_SETTINGS,
) -> ModelError:
    """Return the error for an answer other than 2xx; `asked` names the server and path.

    `settings` is what the names of the settings begin with that say where the server is.
    """
    said = excerpt(body, secret)
    text = f"{asked} answered {status}: {said}"
    if status in (401, 402, 403) or "insufficient_quota" in said:
        return NotAllowedError(f"{text}; check {settings}API_KEY")
    if status in (429, 503):
        return OverloadedError(text, retry_after_seconds(headers))
    if status == 413 or (status in (400, 422) and _LENGTH.search(said)):
        return TooLongError(text)
    if status in (502, 504):
        return UnreachableError(text)
    if status in (408, 424, 425) or status >= 500:
        return ServerFaultError(text)
    if 300 <= status < 400:
        return RejectedError(f"{text}; set {settings}URL to where it redirects")
    return RejectedError(text)


def excerpt(body: bytes, secret: str | None = None) -> str:
    """Return what an error body says, as one short printable line without keys."""
    text = body[:65_536].decode("utf-8", errors="replace")
    if text.lstrip()[:1] == "<":
        return "an HTML page, as a proxy sends"
    said = _message(text)
    if secret:
        said = said.replace(secret, "***")
    said = _KEYS.sub("***", _UNPRINTABLE.sub(" ", said)).strip()
    return said[:_EXCERPT_CHARS] if said else "nothing"


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return what `Retry-After` asks for, as seconds; a date is held against the server's `Date`.

    None where it asks for nothing, or for something unreadable (RFC 9110, 10.2.3).
    """
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
        return min(float(value), MOST_RETRY_SECONDS)
    then, now = _date(value), _date(headers.get("date", ""))
    if then is None or now is None:
        return None
    return min(max((then - now).total_seconds(), 0.0), MOST_RETRY_SECONDS)


def _message(text: str) -> str:
    """Find the sentence: `error` in TGI, `error.message` in OpenAI and its kin, `detail`."""
    try:
        found: Any = msgspec.json.decode(text.encode())
    except (ValueError, RecursionError):
        return text
    kind = ""
    for _ in range(2):
        if not isinstance(found, dict):
            break
        kind = str(found.get("error_type") or found.get("code") or found.get("type") or kind)
        found = found.get("error") or found.get("message") or found.get("detail") or text
    said = found if isinstance(found, str) else text
    return f"{said} ({kind})" if kind and kind not in said else said


def _date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):
        return None
    return found if found.tzinfo is not None else None
