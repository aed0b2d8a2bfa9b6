"""The same line with other parameters: what a second host, caller or attempt would have written.

Comes in: a line, a Chance. Goes out: a line with other addresses, identifiers and long numbers.
Promise: pure; words, short numbers, codes, ports and units stay, since they carry the meaning.
"""

import re

from training.dataset.chance import Chance

_ADDRESS = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")
_IDENTIFIER = re.compile(
    r"(?<![\w-])(?=[0-9a-f-]*\d)(?=[0-9a-f-]*[a-f])[0-9a-f]{8,40}(?:-[0-9a-f]{4,12}){0,4}(?![\w-])"
)
_LONG_NUMBER = re.compile(r"(?<![\w.:/-])[1-9]\d{4,9}(?![\w.:%-])")
_HOST = re.compile(r"\b(?:node|host|web|db|app|worker|srv)-?\d{1,3}\b")
_WORDS = re.compile(r"[^-]+")


def varied(line: str, chance: Chance) -> str:
    """Return the line with other parameters."""
    line = _ADDRESS.sub(lambda _: _address(chance), line)
    line = _IDENTIFIER.sub(lambda found: _identifier(found.group(), chance), line)
    line = _LONG_NUMBER.sub(lambda found: _number(found.group(), chance), line)
    return _HOST.sub(lambda found: _host(found.group(), chance), line)


def _address(chance: Chance) -> str:
    return f"10.{chance.number(0, 254)}.{chance.number(0, 254)}.{chance.number(1, 254)}"


def _identifier(text: str, chance: Chance) -> str:
    return _WORDS.sub(lambda found: chance.text(len(found.group())), text)


def _number(text: str, chance: Chance) -> str:
    return str(chance.number(1, 9)) + chance.text(len(text) - 1, "0123456789")


def _host(text: str, chance: Chance) -> str:
    return text.rstrip("0123456789") + str(chance.number(1, 99))
