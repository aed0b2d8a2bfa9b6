"""Reads one raw record of any shape: Fluent Bit's envelopes, journals, GELF, OTLP, plain text.

Comes in: a record's value. Goes out: one Entry per log event in it. Promise: what is no envelope
is a plain line, in whatever encoding; DecodeError only for what cannot be a line at all.
Formats: Fluent Bit 5.1's out_kafka, Docker, CRI, systemd's journal, GELF 1.1, OTLP 1 JSON.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from schemas.vocabulary import Level
from streams.errors import DecodeError
from streams.ingest.batch import ReducerOptions
from streams.ingest.eventtime import record_ms
from streams.ingest.identity import Claim
from streams.ingest.otlp import is_otlp, otlp_entries
from streams.ingest.recordlevel import level_of_record

_DOCKER_PIECE = 16_000
"""Docker cuts longer lines; a piece without its newline goes on in the next record."""
_ENVELOPE_WORDS = (
    b'"log"', b'"fb_ts"', b'"@timestamp"', b'"resourceLogs"', b'"MESSAGE"', b'"short_message"',
    b'"message"', b'"kubernetes"',
)  # fmt: skip
_TIME_EXTRAS = ("_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP")


class Entry(NamedTuple):
    """One log event as its record gives it."""

    text: str
    time_ms: int | None = None
    claim: Claim = Claim()
    level: Level | None = None
    stream: str = ""
    """What parts writers of one service beyond its instance: a path, stdout or stderr."""
    partial: bool = False
    """The text goes on in the next record of the same writer."""


def read_value(value: bytes, options: ReducerOptions) -> list[Entry]:
    """Return the entries of one record; raises DecodeError: `json`, `otlp` or `binary`."""
    if value[:1] == b"{" or value[:16].lstrip()[:1] == b"{":
        try:
            document = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if any(word in value[:4096] for word in _ENVELOPE_WORDS):
                message = f"the record begins like an envelope but is not JSON: {error}"
                raise DecodeError("json", message) from None
            return [Entry(plain_text(value))]
        return read_document(document, value, options)
    return [Entry(plain_text(value))]


def plain_text(value: bytes) -> str:
    """Decode a line: UTF-16 and UTF-32 by their marks or zeros, else UTF-8 with replacement."""
    if value[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        return value.decode("utf-32", "replace")
    if value[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return value.decode("utf-16", "replace")
    if b"\0" in value[:4096]:
        head = value[:4096]
        even, odd = head[0::2], head[1::2]
        for name, zeros, words in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
            mostly = zeros.count(0) > 0.8 * len(zeros) and words.count(0) < 0.1 * len(words)
            if len(head) >= 4 and mostly:
                return value.decode(name, "replace")
    control = sum(map(value[:4096].count, _CONTROL))
    if control * 10 > 3 * min(len(value), 4096):
        message = (
            f"the record is binary: {control} control bytes in its first {min(len(value), 4096)}"
        )
        raise DecodeError("binary", message)
    return value.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")


_CONTROL = [bytes([code]) for code in range(32) if code not in (9, 10, 13, 27)] + [b"\x7f"]


def read_document(document: Any, value: bytes, options: ReducerOptions) -> list[Entry]:
    """Read a JSON object as the envelope that its fields say it is."""
    if not isinstance(document, dict):
        return [Entry(plain_text(value))]
    if is_otlp(document):
        return [
            Entry(found.text, found.time_ms, found.claim, found.level)
            for found in otlp_entries(document, options)
        ]
    text = _text(document, options.message_fields)
    if text is None:
        text = plain_text(value)
    stream = document.get("stream")
    path = document.get("fb_path") or document.get("path") or ""
    return [
        Entry(
            text,
            _time(document, options.time_fields),
            _claim(document, options),
            level_of_record(document, options.level_fields),
            f"{path}|{stream or ''}",
            _is_partial(document, text, stream),
        )
    ]


def lookup(document: dict[str, Any], name: str) -> Any:
    """Return the field `name`; a dotted name may also be a path into nested objects."""
    found = document.get(name)
    if found is None and "." in name:
        found = document
        for part in name.split("."):
            if not isinstance(found, dict):
                return None
            found = found.get(part)
    return found


def first_word(document: dict[str, Any], names: Iterable[str]) -> str:
    """Return the first field among `names` that holds a text or number, as text."""
    for name in names:
        found = lookup(document, name)
        if isinstance(found, str) and found:
            return found
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
    return ""


def _text(document: dict[str, Any], names: tuple[str, ...]) -> str | None:
    for name in names:
        found = lookup(document, name)
        if isinstance(found, str):
            full = document.get("full_message") if name == "short_message" else None
            return full if isinstance(full, str) and full.startswith(found) else found
        if name == "MESSAGE" and isinstance(found, list) and all(map(_is_byte, found)):
            # The journal writes a message that is not UTF-8 as its bytes.
            return bytes(found).decode("utf-8", "replace")
    return None


def _is_byte(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 256


def _time(document: dict[str, Any], names: tuple[str, ...]) -> int | None:
    for name in (*names, *_TIME_EXTRAS):
        found = lookup(document, name)
        time_ms = None if found is None else record_ms(found)
        if time_ms is not None:
            return time_ms
    return None


def _claim(document: dict[str, Any], options: ReducerOptions) -> Claim:
    service = first_word(document, options.service_fields)
    namespace = first_word(document, options.namespace_fields)
    instance = first_word(document, options.instance_fields)
    kubernetes = document.get("kubernetes")
    if isinstance(kubernetes, dict):
        labels = kubernetes.get("labels")
        named = first_word(labels, _KUBERNETES_LABELS) if isinstance(labels, dict) else ""
        service = service or named or first_word(kubernetes, ("container_name", "pod_name"))
        namespace = namespace or first_word(kubernetes, ("namespace_name",))
        instance = first_word(kubernetes, ("pod_name", "host")) or instance
    elif not service:
        unit = first_word(document, ("_SYSTEMD_UNIT", "UNIT", "SYSLOG_IDENTIFIER", "_COMM"))
        service = unit.removesuffix(".service") or first_word(document, _GELF_SERVICES)
    if not instance:
        instance = first_word(document, ("_HOSTNAME",))
    return Claim(service, namespace, first_word(document, options.environment_fields), instance)


_KUBERNETES_LABELS = ("app.kubernetes.io/name", "app", "k8s-app", "name")
_GELF_SERVICES = ("_service", "_app", "_application_name", "_container_name", "facility")


def _is_partial(document: dict[str, Any], text: str, stream: Any) -> bool:
    mark = document.get("_p")
    if mark is not None:
        return bool(mark == "P")
    if document.get("partial_message") in ("true", True):
        return True
    return stream is not None and len(text) >= _DOCKER_PIECE and not text.endswith("\n")
