"""Choices that a number decides: the same on every machine and in every version of Python.

Comes in: words that name a choice. Goes out: numbers, items, shuffles. Promise: pure; two makers
with the same words make the same choices, and one's choices do not depend on another's.
Method: SHA-256 in counter mode; the bias of a modulus over 64 bits is far below what shows.
"""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


class Chance:
    """Draws that follow from the words it was made with."""

    def __init__(self, *words: str | int) -> None:
        self._key = "\x1f".join(str(word) for word in words).encode()
        self._count = 0

    def number(self, least: int, most: int) -> int:
        """Return a whole number from `least` to `most`, both included."""
        return least + self._draw() % (most - least + 1)

    def share(self) -> float:
        """Return a number from 0 to below 1."""
        return self._draw() / 2**64

    def choose(self, items: Sequence[Item]) -> Item:
        """Return one of the items; raises IndexError where there is none."""
        return items[self._draw() % len(items)] if items else items[0]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """Return the items in another order (Fisher and Yates, Durstenfeld's form)."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = self._draw() % (last + 1)
            order[last], order[other] = order[other], order[last]
        return order

    def text(self, length: int, letters: str = "0123456789abcdef") -> str:
        """Return `length` of the letters."""
        return "".join(self.choose(letters) for _ in range(length))

    def _draw(self) -> int:
        self._count += 1
        digest = hashlib.sha256(self._key + self._count.to_bytes(8, "big")).digest()
        return int.from_bytes(digest[:8], "big")
