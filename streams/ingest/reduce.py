"""Reduces a batch of raw records to digests: the one thing that every log line goes through.

Comes in: a RawBatch. Goes out: one LogDigest per service and slot of event time in it.
Promise: a pure function of batch and options; every record is in one digest, dead or control.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.digest import SLOT_MS, LogDigest
from schemas.ledger import IngestTotals
from schemas.vocabulary import Level
from streams.ingest.batch import RawBatch, Reduced, ReducerOptions
from streams.ingest.compose import Composer
from streams.ingest.entries import LEVEL_CODE, NO_LEVEL, Entries, Ints, distinct
from streams.ingest.eventtime import stamp_ms
from streams.ingest.identity import Identities
from streams.ingest.lines import TidyTexts, tidy
from streams.ingest.multiline import heads
from streams.ingest.partitionclock import clock_after, lags, settle_times
from streams.ingest.reader import EntryReader
from streams.ingest.redact import Redactor
from streams.ingest.shapes import CONTINUATION, Lines, ShapeTable


@dataclass(slots=True)
class Times:
    """When each entry happened, and how that is known."""

    event_ms: Ints
    future: NDArray[np.bool_]
    unstamped: NDArray[np.bool_]
    clock_ms: int
    """What the partition has reached after these lines."""
    lag_ms: Ints
    """How far each line was behind the partition when it came."""


class Reducer:
    """Reduces batches by one set of options; what it remembers between them only saves time."""

    def __init__(self, options: ReducerOptions) -> None:
        self._options = options
        redactor = Redactor(redact_ips=options.redact_ips)
        self._reader = EntryReader(options, Identities(options, redactor))
        self._table = ShapeTable(options.cached_keys, redactor)
        self._composer = Composer(options, redactor)

    @property
    def cached_keys(self) -> int:
        """Return how many keys of lines are remembered."""
        return self._table.cached_keys

    @property
    def hit_ratio(self) -> float:
        """Return the share of lines whose layout was already known."""
        return self._table.hit_ratio

    def reduce(self, batch: RawBatch) -> Reduced:
        """Return the digests of a batch, ordered by slot and service, and what was counted."""
        entries = self._reader.read(batch)
        digests: list[LogDigest] = []
        clock_ms = batch.clock_ms
        if len(entries):
            tidied = tidy(entries.texts, self._options.max_line_bytes)
            lines = self._table.read(tidied.joined)
            digests, clock_ms = self._digest(batch, entries, tidied, lines)
        return Reduced(
            digests, entries.dead, _totals(batch, entries, digests), clock_ms, entries.ended
        )

    def _digest(
        self, batch: RawBatch, entries: Entries, tidied: TidyTexts, lines: Lines
    ) -> tuple[list[LogDigest], int]:
        times = self._times(batch, entries, lines)
        stated = self._table.column("level")[lines.codes]
        levels = np.where(entries.levels == NO_LEVEL, stated, entries.levels)
        kinds = self._table.column("kind")[lines.codes]
        kinds[lines.lengths == 0] = CONTINUATION
        if entries.pieces:
            kinds[list(entries.pieces)] = CONTINUATION
        routine = (levels == LEVEL_CODE[Level.INFO]) | (levels == LEVEL_CODE[Level.DEBUG])
        line_heads = heads(kinds, entries.streams, routine)
        composed = self._composer.compose(
            batch, entries, tidied, lines, self._table, times.event_ms, levels, line_heads,
            _flags(times, tidied, line_heads), times.lag_ms, times.clock_ms,
        )  # fmt: skip
        return composed, times.clock_ms

    def _times(self, batch: RawBatch, entries: Entries, lines: Lines) -> Times:
        append = np.maximum(np.array(batch.append_ms, np.int64)[entries.records], 0)
        event = entries.times_ms.copy()
        for line in np.flatnonzero(event < 0).tolist():
            found = self._stamp(lines, line, int(append[line]))
            event[line] = -1 if found is None else found
        unstamped = event < 0
        future = (event > append + self._options.future_tolerance_ms) & (append > 0)
        event = settle_times(event, append, unstamped | future, batch.clock_ms)
        slots, codes = distinct(event // SLOT_MS)
        if len(slots) > self._options.slots_per_batch:
            counts = np.bincount(codes)
            # The fullest slots stay, later ones first; what is over goes by its append time.
            order = np.lexsort((-slots, -counts))
            over = np.ones(len(slots), np.bool_)
            over[order[: self._options.slots_per_batch]] = False
            event = np.where(over[codes], append, event)
            unstamped |= over[codes]
        clock_ms = clock_after(event, batch.clock_ms)
        return Times(event, future, unstamped, clock_ms, lags(event, batch.clock_ms, clock_ms))

    def _stamp(self, lines: Lines, line: int, append_ms: int) -> int | None:
        info = self._table.infos[int(lines.codes[line])]
        if info.stamp_span is None or info.stamp_format is None:
            return None
        stamp = lines.slice(line, *info.stamp_span).decode("latin-1")
        return stamp_ms(stamp, info.stamp_format, append_ms)


def _flags(times: Times, tidied: TidyTexts, line_heads: Ints) -> dict[str, NDArray[np.bool_]]:
    """Return what a digest counts of its lines, beside events."""
    truncated = np.zeros(len(line_heads), np.bool_)
    truncated[tidied.truncated] = True
    own = line_heads == np.arange(len(line_heads))
    loose = line_heads < 0
    return {
        "continuations": ~own,
        "truncated": truncated,
        "future": times.future & (own | loose),
        "unstamped": times.unstamped & (own | loose),
    }


def _totals(batch: RawBatch, entries: Entries, digests: list[LogDigest]) -> IngestTotals:
    def summed(read: Callable[[LogDigest], int]) -> int:
        return sum(map(read, digests))

    return IngestTotals(
        received=len(batch),
        digested=summed(lambda digest: digest.records),
        dead_lettered=len(entries.dead),
        expired=batch.expired,
        control=entries.control,
        replayed=entries.replayed,
        events=summed(lambda digest: digest.events),
        continuations=summed(lambda digest: digest.continuations),
        truncated=summed(lambda digest: digest.truncated),
        future=summed(lambda digest: digest.future),
        unstamped=summed(lambda digest: digest.unstamped),
    )
