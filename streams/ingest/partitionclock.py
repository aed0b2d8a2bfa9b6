"""What event time a raw partition has reached, when some of its lines cannot be believed.

Comes in: event times of a batch's lines in offset order, and the clock before the batch. Goes out:
times for lines without a believable one, the clock after the batch, and each line's lag behind it.
Promise: one line dated far ahead moves no clock, in live traffic and in replays of old logs alike.
"""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LIVE_SKEW_MS = 300_000
"""Lines appended within five minutes of their event time are live; else it is a replay."""
LEAP_MS = 600_000
"""A clock goes further ahead than this only when a later line confirms it."""


def settle_times(event: Ints, append: Ints, doubtful: Bools, before_ms: int) -> Ints:
    """Give every doubtful line a time: in live traffic its append time, else its neighbour's.

    In a replay the append time says nothing of when a line was written, so a doubtful line takes
    the time of the line before it, else of the line after it, else the clock before the batch.
    """
    if not doubtful.any():
        return event
    sure = np.flatnonzero(~doubtful)
    if not len(sure):
        replayed = before_ms > 0 and append[0] - before_ms > LIVE_SKEW_MS
        return np.where(doubtful, before_ms if replayed else append, event)
    if np.median(append[sure] - event[sure]) <= LIVE_SKEW_MS:
        return np.where(doubtful, append, event)
    earlier = np.searchsorted(sure, np.arange(len(event)), side="right") - 1
    return event[sure[np.maximum(earlier, 0)]]


def clock_after(event: Ints, before_ms: int) -> int:
    """Return the latest time that is believed: near the rest, or reached by a later line too."""
    believed = before_ms
    if len(event) > 1:
        later = np.maximum.accumulate(event[::-1])[::-1][1:]
        believed = max(believed, int(np.minimum(event[:-1], later).max()))
    latest = int(event.max())
    if believed == 0 or latest - believed <= LEAP_MS:
        return max(believed, latest)
    return believed


def lags(event: Ints, before_ms: int, after_ms: int) -> Ints:
    """Return how far each line lags behind the clock of its partition when it came, in ms."""
    running = np.maximum.accumulate(np.minimum(event, after_ms))
    return np.maximum(np.maximum(running, before_ms) - event, 0)
