"""The log entries of one batch, as columns: what every later step works on.

A record gives one entry, or several (OTLP). Columns are numpy arrays or lists of equal length, in
the order of records; words that repeat stand once in a list and as codes in the column.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from schemas.vocabulary import Level
from streams.ingest.batch import DeadRecord

Word = TypeVar("Word", bound=Hashable)
Ints = NDArray[np.int64]
LEVELS: tuple[Level, ...] = tuple(Level)
LEVEL_CODE: dict[Level, int] = {level: code for code, level in enumerate(LEVELS)}
NO_LEVEL = len(LEVELS)
UNKNOWN_MS = -1
_CLOSE = 8
"""Values are close together when their range is at most this many times their number."""


class Codes(dict[Word, int], Generic[Word]):
    """Numbers words in the order in which they are asked for; `words[code]` is the word.

    `__getitem__` stays the dictionary's own, so that `map(codes.__getitem__, column)` runs in C.
    """

    def __init__(self) -> None:
        super().__init__()
        self.words: list[Word] = []

    def __missing__(self, word: Word) -> int:
        code = self[word] = len(self.words)
        self.words.append(word)
        return code

    def column(self, words: list[Word]) -> Ints:
        """Return the code of each word."""
        return np.fromiter(map(self.__getitem__, words), np.int64, len(words))


def distinct(values: Ints) -> tuple[Ints, Ints]:
    """Return the distinct values in order, and the place of each value among them.

    As `numpy.unique` with its inverse, but without a sort where the values lie close together.
    """
    if not len(values):
        return values, values
    low = int(values.min())
    width = int(values.max()) - low + 1
    if width > _CLOSE * len(values):
        found, codes = np.unique(values, return_inverse=True)
        return found, codes
    above = values - low
    seen = np.zeros(width, np.bool_)
    seen[above] = True
    places = np.cumsum(seen) - 1
    return np.flatnonzero(seen) + low, places[above]


@dataclass(slots=True)
class Entries:
    """Columns over the entries of one batch."""

    texts: list[str]
    times_ms: Ints
    """The record's own time; UNKNOWN_MS where it says none."""
    records: Ints
    """Which record of the batch an entry comes from, ascending."""
    services: Ints
    service_names: list[str]
    instances: Ints
    """-1 where none is known."""
    instance_names: list[str]
    levels: Ints
    """The level that the record states, as an index of LEVELS; NO_LEVEL where it states none."""
    streams: Callable[[], Ints]
    """Which entries come from one writer: only within it does one line continue another. It is
    asked for only where a batch holds such lines."""
    pieces: dict[int, int] = field(default_factory=dict)
    """Entries whose text was joined to an earlier entry's (CRI and Docker partial lines)."""
    dead: list[DeadRecord] = field(default_factory=list)
    control: int = 0
    replayed: int = 0
    ended: bool = False

    def __len__(self) -> int:
        return len(self.texts)
