"""Reads a whole column of ISO 8601 times of one width at once.

Comes in: texts such as `2026-11-22T15:09:32.844815208Z`, as Fluent Bit writes them. Goes out:
milliseconds since 1970, or None where the column is not of that kind; then each is read by itself.
"""

import numpy as np
from numpy.typing import NDArray

from streams.ingest.entries import Ints
from streams.ingest.eventtime import DAY_MS, record_ms

_SHORTEST = len("2026-11-22T15:09:32Z")
_MARKS = ((4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"))
_DIGITS = (11, 12, 14, 15, 17, 18)


def iso_column_ms(texts: list[str]) -> Ints | None:
    """Return the times of `texts`, or None unless all are UTC with `Z` and of one width."""
    if not texts:
        return None
    width = len(texts[0])
    joined = "".join(texts).encode()
    if width < _SHORTEST or len(joined) != width * len(texts) or set(map(len, texts)) != {width}:
        return None
    cells = np.frombuffer(joined, np.uint8).reshape(len(texts), width)
    if not all((cells[:, place] == ord(mark)).all() for place, mark in _MARKS):
        return None
    if not (cells[:, -1] == ord("Z")).all():
        return None
    fraction = min(3, max(0, width - _SHORTEST - 1))
    if fraction and not (cells[:, 19] == ord(".")).all():
        return None
    return _read(cells, fraction)


def _read(cells: NDArray[np.uint8], fraction: int) -> Ints | None:
    places = [*_DIGITS, *range(20, 20 + fraction)]
    digits = cells[:, places].astype(np.int64) - ord("0")
    if ((digits < 0) | (digits > 9)).any():
        return None
    hour, minute, second = (digits[:, i] * 10 + digits[:, i + 1] for i in (0, 2, 4))
    if (hour > 23).any() or (minute > 59).any() or (second > 60).any():
        return None
    millis = (hour * 3600 + minute * 60 + second) * 1000
    for i in range(fraction):
        millis += digits[:, 6 + i] * (100, 10, 1)[i]
    dates = np.ascontiguousarray(cells[:, :10]).view("S10").ravel()
    if (dates == dates[0]).all():
        midnight = _midnight(dates[0])
        return None if midnight is None else millis + midnight
    names, codes = np.unique(dates, return_inverse=True)
    midnights = [_midnight(name) for name in names]
    if any(midnight is None for midnight in midnights):
        return None
    read: Ints = millis + np.array(midnights, np.int64)[codes]
    return read


def _midnight(date: bytes) -> int | None:
    found = record_ms(date.decode("ascii", "replace") + "T00:00:00Z")
    return found if found is not None and found % DAY_MS == 0 else None
