"""The level that a line states near its start, for judging text that comes without one.

Comes in: a line. Goes out: its level or None.
Promise: only the first words are looked at: a level word deep in a message is part of its meaning.
"""

import re

from schemas.vocabulary import Level
from streams.shape.levels import level_of

_WORD = re.compile(r"[A-Za-z]+")
_HEAD_CHARACTERS = 90


def line_level(line: str) -> Level | None:
    """Return the first upper-case or bracketed level word in the head of the line, or None."""
    head = line[:_HEAD_CHARACTERS]
    for match in _WORD.finditer(head):
        word = match.group()
        before, after = head[: match.start()][-1:], head[match.end() :][:1]
        set_off = (before in '[<(=".' and after in ']>)":') or (after == ":" and before in " [")
        if word.isupper() or (set_off and before):
            level = level_of(word)
            if level is not None and len(word) > 2:
                return level
    return None
