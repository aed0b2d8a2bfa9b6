"""Takes out of a text what a person cannot see, or what a model reads as something else.

Comes in: any text. Goes out: one line of visible characters, NFKC-normalised, bounded.
Promise: pure and idempotent; no control, escape, bidirectional, zero-width, tag or private
character is left, and no control token of a chat template.
Sources: Unicode TR36 and TR39 (hidden and confusable characters); published chat templates.
"""

import re
import unicodedata

MAX_READ = 8_000
"""What stands beyond is not read: the cost of a hostile text stays bounded."""

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS, ...
    r"|\x1b[ -/]*[0-~]"
)
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that are drawn as nothing."""
_ANGLE_TOKEN = re.compile(r"<(?=[A-Za-z_/|<!?0-9\u2581])")
"""Where a control token may begin: <|im_start|>, <start_of_turn>, </s>, <<SYS>>, <0x0A>, ..."""
_BAR_TOKEN = re.compile(r"\|>")
_SQUARE_TOKEN = re.compile(
    r"\[(?=/?(?:INST|SYS|SYSTEM_PROMPT|(?:BEGIN_OF_)?(?:AVAILABLE_)?TOOLS?(?:_CALLS?|_RESULTS?"
    r"|_CONTENT)?|ARGS|CALL_ID|THINK|IMG(?:_\w+)?|(?:BEGIN_)?AUDIO|CLS|SEP|MASK|[gs]MASK|PAD|UNK"
    r"|BOS|EOS|PREFIX|SUFFIX|MIDDLE|MODEL_SETTINGS|REFERENCE_DOC_\d+)\])",
    re.I,
)
_SPACES = re.compile(r"\s+")
_ROUNDS = 6


def is_hidden(character: str) -> bool:
    """Tell whether a character is invisible: controls, formats, selectors, blank letters."""
    point = ord(character)
    return (
        character in _BLANK_LETTERS
        or 0x180B <= point <= 0x180F
        or 0xFE00 <= point <= 0xFE0F  # variation selectors can carry bytes
        or 0xE0000 <= point <= 0xE0FFF  # tags and more selectors
        or unicodedata.category(character) in _HIDDEN_CATEGORIES
    )


def visible(text: str) -> str:
    """Return the text as one line of visible characters; white space becomes one space."""
    text = _ESCAPES.sub("", text[:MAX_READ])
    for _ in range(_ROUNDS):
        # Taking a joiner out may bring characters together that compose: until nothing changes.
        spaced = _SPACES.sub(" ", text)
        shown = "".join(character for character in spaced if not is_hidden(character))
        after = _SPACES.sub(" ", unicodedata.normalize("NFKC", shown)).strip()
        if after == text:
            break
        text = after
    return text


def without_tokens(text: str) -> str:
    """Return the text with the first sign of each possible control token made harmless."""
    text = _ANGLE_TOKEN.sub("\u2039", text)
    text = _BAR_TOKEN.sub("|\u203a", text)
    return _SQUARE_TOKEN.sub("(", text)


def harmless(text: str, limit: int) -> str:
    """Return at most `limit` visible characters without any control token; idempotent."""
    return cut(without_tokens(visible(text)), limit)


def cut(text: str, limit: int) -> str:
    """Shorten to `limit` characters; a text that was cut ends in three dots."""
    return text if len(text) <= limit else text[: max(0, limit - 3)].rstrip() + "..."[:limit]
