"""Groups the events of a batch: one row per digest, shape, level and HTTP status class.

Comes in: columns over events. Goes out: rows with counts and times, and the events chosen as
examples. Promise: choices rest on counts, shape ids and hashes of offsets, never on arrival.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.vocabulary import Level
from streams.ingest.batch import ReducerOptions
from streams.ingest.entries import LEVEL_CODE, NO_LEVEL, Ints
from streams.ingest.shapes import Shape

_STATUSES = 6
_LEVELS = NO_LEVEL + 1
_SEVERE = LEVEL_CODE[Level.ERROR]
_ROUTINE = (LEVEL_CODE[Level.INFO], LEVEL_CODE[Level.DEBUG])
RANK_BITS = 53
"""Ranks stay exact in readers whose numbers are doubles."""


@dataclass(slots=True)
class Rows:
    """Columns over rows; `of_event` says to which row each event belongs."""

    digest: Ints
    shape: Ints
    level: Ints
    status: Ints
    count: Ints
    first_ms: Ints
    last_ms: Ints
    of_event: Ints

    def __len__(self) -> int:
        return len(self.count)


def group(digest: Ints, shape: Ints, level: Ints, status: Ints, times_ms: Ints) -> Rows:
    """Group events that agree in the first four columns; rows are sorted by them."""
    shapes = int(shape.max(initial=0)) + 1
    keys = ((digest * shapes + shape) * _LEVELS + level) * _STATUSES + status
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    new = np.empty(len(keys), np.bool_)
    new[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    begins = np.flatnonzero(new)
    of_event = np.empty(len(keys), np.int64)
    of_event[order] = np.cumsum(new) - 1
    firsts = order[begins]
    times = times_ms[order]
    return Rows(
        digest[firsts],
        shape[firsts],
        level[firsts],
        status[firsts],
        np.diff(begins, append=len(keys)),
        np.minimum.reduceat(times, begins) if len(begins) else times,
        np.maximum.reduceat(times, begins) if len(begins) else times,
        of_event,
    )


def kept_rows(rows: Rows, shapes: Sequence[Shape], limit: int) -> NDArray[np.bool_]:
    """Mark the rows that a digest keeps: at most `limit`, errors first, then the most frequent."""
    kept = np.ones(len(rows), np.bool_)
    sizes = np.bincount(rows.digest)
    for digest in np.flatnonzero(sizes > limit).tolist():
        members = np.flatnonzero(rows.digest == digest).tolist()
        members.sort(
            key=lambda row: (
                rows.level[row] > _SEVERE,
                -rows.count[row],
                shapes[int(rows.shape[row])].shape_id,
                rows.status[row],
                rows.level[row],
            )
        )
        kept[members[limit:]] = False
    return kept


def ranks(seed: int, offsets: Ints, entries: Ints) -> NDArray[np.uint64]:
    """Hash offsets, and which entry of its record each is: splitmix64 (Steele et al., 2014)."""
    mixed = offsets.astype(np.uint64) + (entries.astype(np.uint64) << np.uint64(44))
    mixed += np.uint64(seed)
    mixed *= np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed >> np.uint64(64 - RANK_BITS)


def examples(
    rows: Rows,
    kept: NDArray[np.bool_],
    rank: NDArray[np.uint64],
    sizes: Ints,
    options: ReducerOptions,
) -> Ints:
    """Choose the events that stand as examples, sorted by row and rank.

    Each kept row gives the events of its smallest ranks: `examples_per_shape`, or fewer where its
    level is routine or unknown. A digest takes all first examples, then all second ones, and so
    on, errors before others, while its number and bytes (`sizes`, per event) last.
    """
    events = np.flatnonzero(kept[rows.of_event])
    order = events[_by_row_and_rank(rows.of_event[events], rank[events])]
    row = rows.of_event[order]
    begin = np.flatnonzero(np.diff(row, prepend=-1))
    place = np.arange(len(row)) - np.repeat(begin, np.diff(begin, append=len(row)))
    allowances = np.full(_LEVELS, options.examples_per_shape)
    allowances[list(_ROUTINE)] = options.routine_examples
    allowances[NO_LEVEL] = options.unlevelled_examples
    allowed = np.minimum(allowances, options.examples_per_shape)[rows.level]
    chosen = order[place < allowed[row]]
    place = place[place < allowed[row]]
    row = rows.of_event[chosen]
    turn = np.lexsort((row, rows.level[row], place, rows.digest[row]))
    digest = rows.digest[row][turn]
    begin = np.flatnonzero(np.diff(digest, prepend=-1))
    lengths = np.diff(begin, append=len(digest))
    number = np.arange(len(turn)) - np.repeat(begin, lengths)
    size = np.cumsum(sizes[chosen][turn])
    before = np.repeat((size - sizes[chosen][turn])[begin], lengths)
    fits = (number < options.examples_per_digest) & (
        size - before <= options.example_bytes_per_digest
    )
    found: Ints = chosen[np.sort(turn[fits])]
    return found


def _by_row_and_rank(row: Ints, rank: NDArray[np.uint64]) -> Ints:
    if len(row) and int(row.max()) < 1 << 18:
        joint = (row.astype(np.uint64) << np.uint64(46)) | (rank >> np.uint64(RANK_BITS - 46))
        return np.argsort(joint, kind="stable")
    return np.lexsort((rank, row))
