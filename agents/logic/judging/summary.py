"""One plain sentence that tells a person what an incident is about.

Comes in: the service, the verdict, the line that stands for it. Goes out: a sentence.
Promise: made of the evidence; at most about 300 characters; no line break.
"""

import re

from schemas.vocabulary import Category, FindingKind

_EXCERPT_CHARACTERS = 160
_HEADER = re.compile(
    r"""^(?:
        <\d{1,3}>\d?                                                   # syslog priority
      | [\[(]?\d{4}[-/.]\d\d[-/.]\d\d[T\s]?[\d:.,]*(?:Z|[+-]\d\d:?\d\d|\s[A-Z]{3,4}\b)?[\])]?
      | (?:[A-Z][a-z]{2}\s){1,2}\s?\d{1,2}\s(?:\d\d:\d\d:\d\d[.\d]*)?(?:\s\d{4})?
      | \[[^\]]{1,60}\]
      | \d[\d:.,-]*(?=\s)
      | (?:FATAL|CRITICAL|ERROR|ERR|WARN(?:ING)?|INFO|DEBUG|TRACE|LOG|SEVERE|NOTICE|PANIC)\b:?
      | [-*\#|:]\s
    )\s*""",
    re.VERBOSE,
)
_LINK = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s\"'<>)\]]+", re.IGNORECASE)
_KIND_OPENINGS = {
    FindingKind.SILENCE: 'has stopped logging; it used to write "{text}"',
    FindingKind.DROP: 'logs "{text}" far less than usual',
    FindingKind.LATENCY: 'answers more slowly than usual: "{text}"',
}


def summarise(
    service: str,
    category: Category,
    subcategory: str,
    *,
    text: str,
    count: int,
    kind: FindingKind | None,
    other_kinds: int,
    services: int,
) -> str:
    """Return the sentence; `text` is the leading line, `count` how often it occurred."""
    said = excerpt(text)
    opening = _KIND_OPENINGS.get(kind, 'logged "{text}"') if kind else 'logged "{text}"'
    parts = [f"{service} {opening.replace('{text}', said)}"]
    if count > 1 and kind not in _KIND_OPENINGS:
        parts.append(f" {count:,} times")
    if other_kinds:
        parts.append(f", with {other_kinds} other {'line' if other_kinds == 1 else 'lines'}")
    if services > 1:
        others = services - 1
        parts.append(f"; {others} other {'service is' if others == 1 else 'services are'} affected")
    parts.append(f": this points to {subcategory.replace('-', ' ')} ({category.value}).")
    return "".join(parts)


def excerpt(text: str) -> str:
    """Return the message of a line without stamp and level, on one line, shortened."""
    # A summary is shown where links can be followed: one that a stranger logged is left out.
    rest = _LINK.sub("<link>", " ".join(text.split())).replace('"', "'")
    while (match := _HEADER.match(rest)) and match.end() < len(rest):
        rest = rest[match.end() :]
    if len(rest) <= _EXCERPT_CHARACTERS:
        return rest
    cut = rest[:_EXCERPT_CHARACTERS].rsplit(" ", 1)[0]
    return f"{cut} ..."
