"""Typed facts of an incident: the only way in which text from a log may enter a command.

Comes in: log lines, declared identities. Goes out: at most one value per slot.
Promise: a value matches the strict pattern of its slot, holds no character that a shell would
read, never begins with a dash, and is dropped otherwise. The most frequent value wins, then the
first in the alphabet, so the order of the lines does not matter.
"""

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping

LINE_MAX_CHARS = 2000
"""What stands beyond is not searched: the cost of a hostile line stays bounded."""

_LONG_WORD = re.compile(r"[\w.@:/%+-]{257,}")
_NAME = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = rf"(?:{_NAME}\.){{0,8}}{_NAME}"
_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "namespace": re.compile(_NAME),
    "pod": re.compile(rf"{_NAME}(?:\.{_NAME}){{0,3}}"),
    "deployment": re.compile(_NAME),
    "service": re.compile(_NAME),
    "host": re.compile(_HOST, re.I),
    "port": re.compile(r"[1-9][0-9]{0,4}"),
    "unit": re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}"),
    "path": re.compile(r"/(?:[A-Za-z0-9_.+-]{1,80}/?){0,16}"),
    "database": re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}"),
    "device": re.compile(
        r"/dev/(?:sd[a-z]{1,2}[0-9]{0,3}|nvme[0-9]{1,3}n[0-9]{1,3}(?:p[0-9]{1,3})?"
        r"|vd[a-z][0-9]{0,3}|xvd[a-z][0-9]{0,3}|hd[a-z][0-9]{0,3}|md[0-9]{1,3}|dm-[0-9]{1,3}|sr[0-9])"
    ),
    "user": re.compile(r"[a-z_][a-z0-9_-]{0,31}"),
    "container": re.compile(r"[a-z0-9](?:[a-z0-9_.-]{0,62})"),
    "node": re.compile(_HOST),
    "topic": re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}"),
    "interface": re.compile(
        r"(?:eth|en|wl|bond|br|veth|tun|tap|ib|team|vlan)[a-z]{0,6}[0-9][a-z0-9.-]{0,12}"
    ),
    "url": re.compile(rf"https?://{_HOST}(?::[1-9][0-9]{{0,4}})?(?:/[A-Za-z0-9_.~%/-]{{0,200}})?"),
}
_DISK = r"(?:sd[a-z]{1,2}|nvme\d+n\d+|vd[a-z]|md\d+|dm-\d+)\d*"
_SOURCE = r"(?:py|c|cc|cpp|h|go|js|ts|rb|java|rs|php|pl|log|conf|xml|ya?ml|json|txt|sh)"
"""Endings by which a source file and its line are told from a host and its port."""
_ROOTS = (
    r"(?:var|etc|opt|usr|home|srv|data|mnt|tmp|run|app|root|lib|export|backup|media|storage|boot"
    r"|u\d\d|volumes?|pgdata|logs?)"
)
"""First folders by which a path is told from the path of a request."""


def _labelled(labels: str, value: str, *, also_loose: bool = True) -> tuple[re.Pattern[str], ...]:
    """Return finders of `label=value`, `label: value`, `label "value"`, and perhaps `label value`.

    Without a sign between them, a word counts only where it holds a digit, a dot or a hyphen:
    else any sentence that goes on after the label would give a value.
    """
    explicit = re.compile(
        rf"\b(?:{labels})(?:[\"']?\s*[=:]\s*[\"'`]?|\s+[\"'`])(?P<value>{value})", re.I
    )
    loose = re.compile(rf"\b(?:{labels})\s+(?=\S*[\d.-])(?P<value>{value})", re.I)
    return (explicit, loose) if also_loose else (explicit,)


_FINDERS: Mapping[str, tuple[re.Pattern[str], ...]] = {
    "namespace": _labelled(r"namespace(?:_name)?|ns", r"[\w.-]+"),
    "pod": _labelled(r"pod(?:_?name)?", r"(?:[\w.-]+/)?[\w.-]+"),
    "deployment": _labelled(r"deployment", r"[\w.-]+"),
    "container": _labelled(r"container(?:_?name)?", r"[\w.-]+"),
    "node": _labelled(r"node(?:_?name)?", r"[\w.-]+"),
    "host": (
        re.compile(
            r"\b(?:host|hostname|server|peer|upstream|addr|address|rhost)"
            r"(?:=|[\"']\s*:\s*)[\"']?(?:\w+://)?(?P<value>[A-Za-z0-9.-]+)(?![\w:]*::)",
            re.I,
        ),
        re.compile(r"(?<![\w.])(?P<value>(?:\d{1,3}\.){3}\d{1,3})(?![\w.]*\.\d)"),
        re.compile(r"://(?:[^/@\s]*@)?(?P<value>[A-Za-z0-9.-]+)"),
        re.compile(r"\b(?P<value>[A-Za-z][\w-]*(?:\.[\w-]+)+):\d{2,5}\b"),
        re.compile(
            r"\b(?:to|from|with|host|server|on) (?P<value>[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+)\b"
        ),
        re.compile(r"\b(?:to|upstream) (?P<value>[a-z][a-z0-9.-]*):\d{2,5}\b"),
    ),
    "port": (
        re.compile(r"(?P<skip>\bfrom \S+ )?\bport[\"']?[=: ]+[\"']?(?P<value>\d{1,5})\b", re.I),
        re.compile(r"(?:\d{1,3}\.){3}\d{1,3}:(?P<value>\d{2,4}|[12]\d{4})\b"),
        re.compile(
            rf"\b[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*?(?P<skip>\.{_SOURCE})?:"
            r"(?P<value>\d{4}|[12]\d{4})\b"
        ),
    ),
    "unit": (
        re.compile(r"\b(?P<value>[A-Za-z0-9][\w@.-]*\.(?:service|socket|timer|mount))\b"),
        re.compile(r"\b_SYSTEMD_UNIT[\"']?[=:]\s*[\"']?(?P<value>[\w@.-]+)"),
    ),
    "path": (
        re.compile(
            r"(?P<skip>\b(?:GET|POST|PUT|HEAD|DELETE|PATCH|OPTIONS) )?"
            rf"(?<![\w/:.<>])(?P<value>/{_ROOTS}/[\w./+-]+)"
        ),
        re.compile(
            r"\b(?:path|file|directory|mount(?:point)?|on)[=: ]+[\"']?(?P<value>/[\w./+-]+)"
        ),
    ),
    "database": _labelled(r"database|dbname|datname|db", r"\w+", also_loose=False),
    "device": (
        re.compile(r"(?P<value>/dev/[a-z0-9-]+)"),
        re.compile(rf"\b(?:dev(?:ice)?|disk)[ =:\[]+(?P<value>{_DISK})\b", re.I),
        re.compile(rf"\((?P<value>{_DISK})\)"),
        re.compile(r"\b(?P<value>nvme\d+n\d+(?:p\d+)?|sd[a-z]{1,2}\d*)(?=[:,]? )"),
    ),
    "user": (
        *_labelled(r"user(?:name)?|account|role", r"[\w.-]+", also_loose=False),
        re.compile(r"\bfor (?:(?:invalid )?user )?(?P<value>[\w.-]+) from\b"),
    ),
    "topic": _labelled(r"topic", r"[\w.-]+"),
    "interface": (
        re.compile(
            r"\b(?P<value>(?:eth|bond|br|veth|tun|tap|team)\d[\w.-]*|en[opsx]\d\w*)(?=[:, ]|$)"
        ),
        re.compile(r"\binterface[=: ]+[\"']?(?P<value>[\w.-]+)", re.I),
    ),
    "url": (re.compile(r"(?P<value>https?://[^\s\"'<>()\[\],;?#]+)"),),
}
"""How each fact is found; a group `skip` marks an occurrence that means something else."""
_NEVER = frozenset(
    re.findall(
        r"\S+",
        "null none nil unknown undefined true false localhost the a an is was not for of to in on"
        " at"
        " and from with default failed error name names id timeout does exists exist has already"
        " system be are or cannot could should must no yes missing 0.0.0.0 127.0.0.1",
    )
)
"""Words that follow a label in a sentence but name nothing."""


def accept(kind: str, value: str) -> str | None:
    """Return the value where it fits its slot and is safe in a shell, else None."""
    pattern = _PATTERNS[kind]
    if not pattern.fullmatch(value) or shlex.quote(value) != value or value.startswith("-"):
        return None
    if kind == "port" and int(value) > 65535:
        return None
    if kind in {"path", "url", "topic"} and ".." in value:
        return None
    if kind == "path" and value.startswith(("/dev/", "/proc/", "/sys/")):
        return None
    if kind == "host" and re.search(rf"\.{_SOURCE}$", value):
        return None
    if kind == "host" and re.fullmatch(r"[\d.]+", value) and not _is_address(value):
        return None
    return value


def _is_address(value: str) -> bool:
    parts = value.split(".")
    return len(parts) == 4 and all(part.isdigit() and int(part) <= 255 for part in parts)


def facts_from_lines(lines: Iterable[str]) -> dict[str, str]:
    """Find the most frequent acceptable value of each slot in log lines."""
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in _FINDERS}
    for line in lines:
        text = _LONG_WORD.sub(" ", line[:LINE_MAX_CHARS])
        for kind, finders in _FINDERS.items():
            found = {
                match.group("value")
                for finder in finders
                for match in finder.finditer(text)
                if not match.groupdict().get("skip")
            }
            for raw in sorted(found):
                value = _clean(kind, raw)
                if value is not None:
                    counts[kind][value] += 1
    return {
        kind: min(counter, key=lambda value: (-counter[value], value))
        for kind, counter in counts.items()
        if counter
    }


def _clean(kind: str, raw: str) -> str | None:
    value = raw.rstrip(".-")
    if kind == "pod":
        value = value.rpartition("/")[2]
    if value.lower() in _NEVER:
        return None
    if kind == "device" and not value.startswith("/"):
        value = f"/dev/{value.lower()}"
    if kind not in {"port", "path"} and value.isdigit():
        return None
    return accept(kind, value)


def merge_facts(*sources: Mapping[str, str]) -> dict[str, str]:
    """Join facts; an earlier source wins, and what does not fit its slot is dropped."""
    merged: dict[str, str] = {}
    for source in sources:
        for kind, value in source.items():
            accepted = accept(kind, value) if kind in _PATTERNS else None
            if accepted is not None:
                merged.setdefault(kind, accepted)
    return merged
