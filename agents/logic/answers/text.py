"""Text that a model wrote, made fit for a person to read in a console, a chat or a mail.

Comes in: one text field of an answer. Goes out: plain text, one line, bounded.
Promise: pure and idempotent; no HTML, Markdown link, image, code fence or script, no URL unless it
is allowed, no marker, no control token. A link that is not allowed becomes `[link removed]`; one
that is only quoted from evidence is written so that nothing turns it into a link (hxxp, [.]).
"""

import html
import re
from collections.abc import Set

from agents.logic.plans.runbooks import SLOTS
from agents.logic.prompting.characters import cut, visible, without_tokens
from agents.logic.prompting.quarantine import MARKER_PATTERN

LINK_REMOVED = "[link removed]"
NO_LINKS: frozenset[str] = frozenset()
_ROUNDS = 8
_SCRIPT = re.compile(r"<\s*(script|style|iframe|svg|object)\b.*?(?:<\s*/\s*\1\s*>|$)", re.I | re.S)
_COMMENT = re.compile(r"<!--.*?(?:-->|$)", re.S)
_ELEMENT = re.compile(r"<\s*/?\s*[A-Za-z!?][^<>]{0,400}>?")
_PLACEHOLDERS = frozenset(SLOTS)
_SLOT = re.compile(r"<[a-z]{2,12}>|<\*>")
"""<host> and <*> are this project's own words, not HTML."""
_IMAGE_OR_LINK = re.compile(r"!?\[([^\[\]]{0,200})\]\s?\(([^()]{0,400})\)")
_REFERENCE = re.compile(r"!\[([^\[\]]{0,200})\](?:\[[^\[\]]{0,80}\])?")
URL = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]{1,20}:(?=//)//|(?<![\w.])//(?=[\w-]+\.)|\bwww\.|"
    r"\b(?:javascript|vbscript|data|file|mailto|tel):(?=[^\s]))[^\s<>\"'`\\^{}|]*",
    re.I,
)
"""Anything that a reader's program might turn into a link or run."""
_BARE_LINK = re.compile(
    r"(?<![\w@/.-])(?:[a-z0-9](?:[a-z0-9-]{0,62})\.)+[a-z]{2,18}(?::\d{1,5})?/[^\s<>\"'`]*", re.I
)
"""host.tld/path without a scheme: chats and mail programs make links of these."""
_BARE_ADDRESS_LINK = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?/[^\s<>\"'`]*")
_CODE = re.compile(r"`{1,}")
_HEADING = re.compile(r"(?:^|(?<=\s))#{1,6}\s+")
_TAIL = ".,;:!?)]"
_DEFANGED = re.compile(r"\bhxxps?\[:\]//\S*", re.I)


def plain_text(
    text: str, limit: int, *, allowed: Set[str] = NO_LINKS, quoted: Set[str] = NO_LINKS
) -> str:
    """Return the text without what may not be in it; at most `limit` characters.

    `allowed` are URLs that may stay as they are (a runbook holds them); `quoted` are URLs of the
    evidence, which may be named but not followed.
    """
    text = _settled(text, allowed, quoted)
    for _ in range(_ROUNDS):
        # Cutting can open what was closed, and what is taken out then makes room: again as one.
        shown = _settled(cut(text, limit), allowed, quoted)
        if shown == text:
            return shown
        text = shown
    return cut(_letters(text), limit)


def _settled(text: str, allowed: Set[str], quoted: Set[str]) -> str:
    """Clean until nothing changes: what is taken out may bring markup together again."""
    for _ in range(_ROUNDS):
        after = _pass(text, allowed, quoted)
        if after == text:
            return text
        text = after
    return _letters(text)


def _letters(text: str) -> str:
    """Return a text that will not settle without anything that could mean more than itself."""
    return " ".join(re.sub(r"[^\w ,;()]", " ", text).split())


def _pass(text: str, allowed: Set[str], quoted: Set[str]) -> str:
    text = visible(html.unescape(text))
    text = MARKER_PATTERN.sub(" ", text)
    text = _COMMENT.sub(" ", _SCRIPT.sub(" ", text))
    text = _ELEMENT.sub(_keep_slots, text)
    text = _IMAGE_OR_LINK.sub(r"\1 \2", text)
    text = _REFERENCE.sub(r"\1", text).replace("](", "] (")
    text = URL.sub(lambda match: _link(match.group(), allowed, quoted), text)
    text = _BARE_LINK.sub(lambda match: _link(match.group(), allowed, quoted), text)
    text = _BARE_ADDRESS_LINK.sub(lambda match: _link(match.group(), allowed, quoted), text)
    text = _HEADING.sub("", _CODE.sub("", text))
    return visible(_keep_placeholders(text))


def _keep_slots(match: re.Match[str]) -> str:
    return match.group() if _SLOT.fullmatch(match.group()) else " "


def _keep_placeholders(text: str) -> str:
    """Break control tokens, but leave <host> as it is: it shows what a person must fill in."""
    pieces = re.split(r"(<[a-z]{2,12}>)", text)
    return "".join(
        piece if _SLOT.fullmatch(piece) and piece[1:-1] in _PLACEHOLDERS else without_tokens(piece)
        for piece in pieces
    )


def _link(url: str, allowed: Set[str], quoted: Set[str]) -> str:
    bare = url.rstrip(_TAIL)
    tail = url[len(bare) :]
    if bare in allowed:
        return url
    if bare in quoted and _DEFANGED.fullmatch(bare) is None:
        return defanged(bare) + tail
    return LINK_REMOVED + tail


def defanged(url: str) -> str:
    """Write a URL so that people can read it and no program makes a link of it."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    shown = rest.replace(".", "[.]").replace("/", "[/]")
    return f"hxxp{'s' if scheme.lower().endswith('s') else ''}[:]{shown}"


def links_of(text: str) -> frozenset[str]:
    """Return the URLs that a text holds, as `plain_text` would find them."""
    shown = visible(text)
    found = (*URL.findall(shown), *_BARE_LINK.findall(shown), *_BARE_ADDRESS_LINK.findall(shown))
    return frozenset(url.rstrip(_TAIL) for url in found)
