"""What in a line may tie its service's trouble to that of another service.

Comes in: redacted example lines of problem shapes, instance names. Goes out: `host:`, `peer:` and
`trace:` words. Promise: strict patterns only, since a wrong tie joins incidents that are none;
loopback and wildcard addresses tie nothing.
"""

import re
from collections.abc import Iterable

MAX_TIES = 8
_ADDRESS = r"(?:\d{1,3}\.){3}\d{1,3}"
_NAME = r"[a-z](?:[a-z0-9-]{0,62}[a-z0-9])?(?:\.[a-z](?:[a-z0-9-]{0,62}[a-z0-9])?)*"
_PEER = re.compile(
    rf"(?<![\w./:@-])(?P<host>{_ADDRESS}|{_NAME}):(?P<port>[1-9]\d{{1,4}})(?![\w.]|:\d)"
)
_TO_NAME = re.compile(
    r"(?:connect(?:ion)?(?: refused)? (?:to|from)|upstream|host|peer|server|backend)"
    r"[ =:]{1,2}[\"']?"
    rf"(?P<host>{_ADDRESS}|{_NAME}\.{_NAME}|[a-z][a-z0-9]*(?:-[a-z0-9]+)+)(?![\w.:-])"
)
_TRACE = re.compile(
    r"\btrace[_-]?id[\"']?\s?[=:]\s?[\"']?(?P<trace>[0-9a-f]{32}|[0-9a-f]{16})\b", re.IGNORECASE
)
_HOST = re.compile(
    rf"(?:{_ADDRESS}|[a-z][a-z0-9-]*\d+(?:\.[a-z0-9-]+)*|(?:{_NAME}\.){{2,}}{_NAME})"
)
_NOWHERE = re.compile(r"127\.|0\.0\.0\.0|255\.|localhost")
_HIGHEST_PORT = 65_535
_SOURCE_FILE = re.compile(
    r"\.(?:go|py|jsx?|tsx?|rb|php|java|c|cc|cpp|h|rs|cs|kt|scala|lua|pl|sh|exs?|erl)$"
)


def ties_of(texts: Iterable[str]) -> set[str]:
    """Return the peers and traces that lines name."""
    found: set[str] = set()
    for text in texts:
        for match in _PEER.finditer(text):
            if int(match["port"]) <= _HIGHEST_PORT and _is_somewhere(match["host"]):
                found.add(f"peer:{match['host']}:{match['port']}")
        for match in _TO_NAME.finditer(text):
            if _is_somewhere(match["host"]):
                found.add(f"peer:{match['host']}")
        found.update(f"trace:{match['trace'].lower()}" for match in _TRACE.finditer(text))
    return found


def hosts_of(instances: Iterable[str]) -> set[str]:
    """Return the instances whose names look like those of a host."""
    return {f"host:{name}" for name in instances if _HOST.fullmatch(name) and _is_somewhere(name)}


def _is_somewhere(host: str) -> bool:
    if _NOWHERE.match(host):
        return False
    if host[0].isdigit():
        return all(int(part) <= 255 for part in host.split("."))
    # A file and its line look like a host and its port.
    return ("." in host or "-" in host) and not _SOURCE_FILE.search(host)
