"""Lines that are fields rather than a sentence: JSON objects and logfmt.

Comes in: a key as text, in which every digit is `0` (so numbers such as `000` are no valid JSON;
fields are therefore found by a tolerant pattern, never by a JSON parser). Goes out: the message,
the telling fields and the names of the others as one text, ready to be masked; level and stamp.
"""

import re
from typing import NamedTuple

from schemas.vocabulary import Level
from streams.shape.levels import level_of
from streams.shape.stamps import Stamp, stamp_at

_LIMIT = 4096
_FIELD_LIMIT = 40
_JSON_FIELD = re.compile(
    r'"((?:[^"\\]|\\.){1,64})"\s*:\s*(?:"((?:[^"\\]|\\.)*)(?:"|$)|([-+0-9.eE]+|true|false|null)|([\[{]))'
)
_LOGFMT_FIELD = re.compile(r'([A-Za-z_@][\w.\-/@]{0,63})=(?:"((?:[^"\\]|\\.)*)"|(\S*))')
_LOGFMT_START = re.compile(r"[A-Za-z_@][\w.\-/@]{0,63}=\S+ +[A-Za-z_@][\w.\-/@]{0,63}=")
_MESSAGE = (
    "msg",
    "message",
    "@message",
    "log",
    "short_message",
    "event",
    "body",
    "text",
    "@m",
    "@mt",
)
_LEVEL = frozenset(
    [
        "level",
        "lvl",
        "severity",
        "loglevel",
        "log_level",
        "log.level",
        "levelname",
        "@level",
        "@l",
        "severitytext",
        "severity_text",
        "error_severity",
        "priority",
    ]
)
_STAMP = frozenset(
    [
        "time",
        "ts",
        "t",
        "timestamp",
        "@timestamp",
        "datetime",
        "date",
        "@t",
        "eventtime",
        "log_time",
        "asctime",
        "timestamp_utc",
        "timemillis",
        "instant",
    ]
)
_TELLING = re.compile(
    r"(?:.*[._])?(?:err|error|exception|reason|event|action|type|outcome|result|status|state|code"
    r"|method|logger|component|module|kind|operation|op|cause|detail|sql_state_code|state_code)$",
    re.IGNORECASE,
)
_ACCESS = re.compile(
    r"\S+ \S+ [^\[\"]{1,128} ?\[(?P<stamp>00/[A-Z][a-z]{2}/[^\]]+)\] "
    r"\"(?:(?P<method>[A-Z]{3,9}) [^\"]*|[^\"]*)\"(?P<rest> 0.*)"
)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_QUOTED_FIELD = re.compile(r'\b([\w.-]+)="((?:[^"\\]|\\.)*)"')
_SAYING = frozenset({"msg", "message", "err", "error", "reason", "event", "cause", "exception"})
_ESCAPES = re.compile(r"\\[nrt]")


class Structured(NamedTuple):
    """A line of fields: text to be masked, level, stamp."""

    text: str
    level: Level | None
    stamp: Stamp | None


class _Field(NamedTuple):
    name: str
    value: str
    start: int
    nested: bool


def needs_reading(words: list[str], text: str) -> bool:
    """Tell cheaply whether `read_structured` may find something in a content of these words."""
    if not words or not words[0]:
        return False
    first = words[0]
    return first[0] == "{" or "=" in first or '="' in text or " [00/" in text


def read_structured(text: str, start: int) -> Structured | None:
    """Return what a JSON or logfmt line says, or None where the content is neither."""
    first = text[start : start + 1]
    if first == "{" and text[start + 1 : start + 40].lstrip()[:1] == '"':
        return _compose(_json_fields(text, start), mark="json")
    access = _ACCESS.match(text, start)
    if access is not None:
        return _access_line(access)
    if _LOGFMT_START.match(text, start):
        fields = _logfmt_fields(text, start)
        names = {field.name.lower() for field in fields}
        if len(fields) > 2 and not names.isdisjoint({"msg", "message", "level", "lvl"}):
            return _compose(fields, mark="logfmt")
    if '="' in text:
        return Structured(_QUOTED_FIELD.sub(_hide_quoted, text[start:]), None, None)
    return None


def _access_line(found: re.Match[str]) -> Structured:
    """Write an access-log line: who asked, for what and with which browser does not matter."""
    stamp = stamp_at(found.string, found.start("stamp"))
    method = found.group("method")
    rest = _QUOTED.sub('"0"', found.group("rest"))
    return Structured(f'0 - - [0] "{method} 0 HTTP/0" {rest}', None, stamp)


def _hide_quoted(found: re.Match[str]) -> str:
    """Hide the quoted value of a field, spaces and all, unless the field is what the line says."""
    if found.group(1).lower() in _SAYING:
        return found.group()
    return f'{found.group(1)}="0"'


def _json_fields(text: str, start: int) -> list[_Field]:
    fields = []
    for found in _JSON_FIELD.finditer(text, start, start + _LIMIT):
        name, string, scalar, opened = found.groups()
        group = 2 if string is not None else 3 if scalar is not None else 4
        fields.append(_Field(name, found.group(group), found.start(group), bool(opened)))
        if len(fields) == _FIELD_LIMIT:
            break
    return fields


def _logfmt_fields(text: str, start: int) -> list[_Field]:
    fields = []
    for found in _LOGFMT_FIELD.finditer(text, start, start + _LIMIT):
        group = 2 if found.group(2) is not None else 3
        fields.append(_Field(found.group(1), found.group(group), found.start(group), False))
        if len(fields) == _FIELD_LIMIT:
            break
    return fields


def _compose(fields: list[_Field], mark: str) -> Structured | None:
    """Write message, telling fields and other names; find level and stamp by field name."""
    if not fields:
        return None
    level: Level | None = None
    stamp: Stamp | None = None
    messages: dict[str, str] = {}
    telling: list[str] = []
    names: set[str] = set()
    for field in fields:
        name = field.name.lower()
        if name in _LEVEL and not field.nested:
            level = level or level_of(field.value)
        elif name in _STAMP and not field.nested:
            stamp = stamp or _stamp_of(field)
        elif name in _MESSAGE and field.value and not field.nested:
            messages.setdefault(name, field.value)
        elif field.nested or "0" in name:
            continue
        elif field.value and _TELLING.match(name) and not field.value.lstrip("-").startswith("0"):
            telling.append(f"{field.name}={field.value[:160]}")
        else:
            names.add(field.name)
    parts = [messages[name] for name in _MESSAGE if name in messages][:1]
    parts += telling[:6]
    parts.append(mark + ":" + ",".join(sorted(names)[:12]))
    return Structured(_ESCAPES.sub(" ", " ".join(parts)), level, stamp)


def _stamp_of(field: _Field) -> Stamp | None:
    """Read a field's stamp; offsets are those of the whole line."""
    inner = stamp_at(field.value + " ", 0)
    if inner is None:
        return None
    return Stamp(field.start, field.start + min(inner.end, len(field.value)), inner.format)
