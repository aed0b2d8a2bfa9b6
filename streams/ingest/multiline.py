"""Which line is an event of its own, and which belongs to the event above it.

Comes in: the kind of each line and who wrote it. Goes out: for each line, the line that heads its
event. Promise: nothing crosses a batch: a continuation whose head is not in the batch has none.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streams.ingest.entries import Ints
from streams.ingest.shapes import EXCEPTION, HEAD

NO_HEAD = -1


def heads(kinds: Ints, streams: Callable[[], Ints], routine: NDArray[np.bool_]) -> Ints:
    """Return the index of each line's head: itself for an event, NO_HEAD where it is not there.

    `kinds`: HEAD, CONTINUATION or EXCEPTION; `streams`: equal numbers come from one writer,
    in order; `routine`: the line's level is info or debug. An exception's name belongs to the line
    above it in its stream, unless the event above is routine (what a logger says is not the cause
    of what another thread prints), there is none, or the line above is an exception's name too.
    """
    count = len(kinds)
    own = np.arange(count)
    if not kinds.any():
        return own
    writers = streams()
    order = np.argsort(writers, kind="stable")
    kind, stream = kinds[order], writers[order]
    first = np.empty(count, np.bool_)
    first[:1] = True
    first[1:] = stream[1:] != stream[:-1]
    begin = np.maximum.accumulate(np.where(first, own, 0))
    above = _last(kind == HEAD, begin)
    after_exception = np.zeros(count, np.bool_)
    after_exception[1:] = (kind[:-1] == EXCEPTION) & ~first[1:]
    stands = (above < 0) | after_exception | routine[order][np.maximum(above, 0)]
    head = _last((kind == HEAD) | ((kind == EXCEPTION) & stands), begin)
    result = np.empty(count, np.int64)
    result[order] = np.where(head >= 0, order[np.maximum(head, 0)], NO_HEAD)
    return result


def _last(marked: NDArray[np.bool_], begin: Ints) -> Ints:
    """Return the last marked place up to each place, within its stream, else -1."""
    last = np.maximum.accumulate(np.where(marked, np.arange(len(marked)), -1))
    return np.where(last >= begin, last, -1)


class Followers:
    """The lines that belong to each event, beyond its head."""

    def __init__(self, line_heads: Ints) -> None:
        attached = np.flatnonzero((line_heads >= 0) & (line_heads != np.arange(len(line_heads))))
        self._lines = attached[np.argsort(line_heads[attached], kind="stable")]
        self._heads = line_heads[self._lines]

    def of(self, head: int, limit: int) -> list[int]:
        """Return the first `limit` lines that follow `head` in its event, in their order."""
        if not len(self._heads):
            return []
        begin, end = np.searchsorted(self._heads, [head, head + 1])
        found: list[int] = self._lines[begin : min(end, begin + limit)].tolist()
        return found
