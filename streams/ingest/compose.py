"""Writes digests: counts, latencies, instances and redacted examples of one batch.

Comes in: the columns of a batch, each line's time, level and head. Goes out: LogDigest records,
ordered by slot and service. Promise: every entry is in one digest; all text in them is redacted.
"""

import hashlib
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.digest import SLOT_MS, LogDigest
from streams.ingest.batch import RawBatch, ReducerOptions
from streams.ingest.entries import LEVELS, NO_LEVEL, Entries, Ints, distinct
from streams.ingest.lines import TidyTexts
from streams.ingest.multiline import Followers
from streams.ingest.redact import Redactor
from streams.ingest.rows import Rows, examples, group, kept_rows, ranks
from streams.ingest.shapes import SHAPER_NAME, Lines, ShapeTable, status_digits

EXAMPLE_LIMIT = 2_000
"""Characters of an example, the lines that continue it included."""
_LOOKAHEAD = 512
"""Characters behind the limit that are redacted too, so that a secret is never cut in half."""
_FOLLOWING_LINES = 40
_BUCKETS = 24


class Composer:
    """Composes the digests of batches by one set of options."""

    def __init__(self, options: ReducerOptions, redactor: Redactor) -> None:
        self._options = options
        self._redactor = redactor

    def compose(
        self,
        batch: RawBatch,
        entries: Entries,
        tidied: TidyTexts,
        lines: Lines,
        table: ShapeTable,
        event_ms: Ints,
        levels: Ints,
        line_heads: Ints,
        flags: dict[str, NDArray[np.bool_]],
        lag_ms: Ints,
        clock_ms: int,
    ) -> list[LogDigest]:
        """Return one digest per service and slot; `flags` are counted per digest by name."""
        owner = np.where(line_heads >= 0, line_heads, np.arange(len(entries)))
        slots = event_ms[owner] // SLOT_MS
        pairs, digest = distinct(slots * len(entries.service_names) + entries.services[owner])
        events = np.flatnonzero(owner == np.arange(len(entries)))
        events = events[line_heads[events] >= 0]
        rows = self._group(events, digest, lines, table, levels, event_ms)
        kept = kept_rows(rows, table.shapes, self._options.shapes_per_digest)
        shown = self._examples(
            batch, entries, tidied, lines, line_heads, events, rows, kept, event_ms
        )
        latencies = _latencies(events, rows, kept, lines, table)
        shapes = _shape_dicts(rows, kept, table, shown, latencies)
        counted = _count(len(pairs), digest, entries, flags, rows, kept)
        instances = self._instances(digest, entries)
        counted["disorder_ms"] = _largest(len(pairs), digest, lag_ms)
        common = self._common(batch, clock_ms)
        found = []
        for number, pair in enumerate(pairs.tolist()):
            slot, service = divmod(pair, len(entries.service_names))
            found.append(
                LogDigest.model_validate(
                    common
                    | {name: values[number] for name, values in counted.items()}
                    | {
                        "service": entries.service_names[service],
                        "slot_ms": slot * SLOT_MS,
                        "instances": instances.get(number, ()),
                        "shapes": shapes[number],
                    }
                )
            )
        return sorted(found, key=lambda digest: (digest.slot_ms, digest.service))

    def _common(self, batch: RawBatch, clock_ms: int) -> dict[str, Any]:
        return {
            "source": {
                "topic": batch.topic,
                "partition": batch.partition,
                "from_offset": batch.from_offset,
                "to_offset": batch.to_offset,
            },
            "raw_partitions": batch.raw_partitions,
            "clock_ms": clock_ms,
            "appended_ms": max(0, max(batch.append_ms)),
            "shaper": SHAPER_NAME,
            "settings_hash": self._options.hash,
        }

    def _group(
        self,
        events: Ints,
        digest: Ints,
        lines: Lines,
        table: ShapeTable,
        levels: Ints,
        event_ms: Ints,
    ) -> Rows:
        codes = lines.codes
        shape = table.column("shape")[codes]
        status = status_digits(lines, table.column("status")[codes])
        with_status = np.flatnonzero(status)
        if len(with_status):
            pairs, places = distinct(codes[with_status] * 10 + status[with_status])
            found = [table.with_status(*divmod(pair, 10)) for pair in pairs.tolist()]
            shape[with_status] = np.array(found, np.int64)[places]
        return group(
            digest[events], shape[events], levels[events], status[events], event_ms[events]
        )

    def _examples(
        self,
        batch: RawBatch,
        entries: Entries,
        tidied: TidyTexts,
        lines: Lines,
        line_heads: Ints,
        events: Ints,
        rows: Rows,
        kept: NDArray[np.bool_],
        event_ms: Ints,
    ) -> dict[int, list[dict[str, Any]]]:
        """Return the redacted examples of each row, the smallest rank first."""
        if not len(events):
            return {}
        records = entries.records[events]
        offsets = np.array(batch.offsets, np.int64)[records]
        name = f"{batch.topic}\0{batch.partition}".encode()
        seed = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest())
        within = np.arange(len(entries)) - np.searchsorted(entries.records, entries.records)
        rank = ranks(seed, offsets, within[events])
        sizes = np.minimum(lines.lengths[events], EXAMPLE_LIMIT)
        followers = Followers(line_heads)
        found: dict[int, list[dict[str, Any]]] = defaultdict(list)
        chosen = examples(rows, kept, rank, sizes, self._options)
        of_row, at = rows.of_event[chosen].tolist(), offsets[chosen].tolist()
        shown, when = events[chosen].tolist(), event_ms[events[chosen]].tolist()
        for row, offset, place, line, time_ms in zip(
            of_row, at, rank[chosen].tolist(), shown, when, strict=True
        ):
            text = self._text(line, tidied, followers)
            found[row].append({"offset": offset, "rank": place, "time_ms": time_ms, "text": text})
        return found

    def _text(self, line: int, tidied: TidyTexts, followers: Followers) -> str:
        text = tidied.texts[line]
        if len(text) < EXAMPLE_LIMIT:
            rest = tidied.rests.get(line)
            following = [tidied.texts[other] for other in followers.of(line, _FOLLOWING_LINES)]
            if rest or following:
                text = "\n".join(filter(None, (text, rest, *following)))
        return self._redactor.redact(text[: EXAMPLE_LIMIT + _LOOKAHEAD])[:EXAMPLE_LIMIT]

    def _instances(self, digest: Ints, entries: Entries) -> dict[int, tuple[str, ...]]:
        names = entries.instance_names
        pairs, _ = distinct(digest * len(names) + entries.instances)
        found: dict[int, list[str]] = defaultdict(list)
        for pair in pairs.tolist():
            number, instance = divmod(pair, len(names))
            if names[instance]:
                found[number].append(names[instance])
        limit = self._options.instances_per_digest
        return {number: tuple(sorted(words)[:limit]) for number, words in found.items()}


def _latencies(
    events: Ints, rows: Rows, kept: NDArray[np.bool_], lines: Lines, table: ShapeTable
) -> dict[int, list[int]]:
    """Return for each row with durations its lines by the power of two of their milliseconds."""
    found: dict[int, list[int]] = {}
    timed = table.column("time")[lines.codes[events]] == 1
    places = np.flatnonzero(timed & kept[rows.of_event])
    chosen = events[places]
    of_row, codes = rows.of_event[places].tolist(), lines.codes[chosen].tolist()
    for row, code, start in zip(of_row, codes, lines.starts[chosen].tolist(), strict=True):
        span = table.infos[code].duration_spans[0]
        try:
            number = lines.buffer[start + span.start : start + span.end]
            bucket = int(float(number) * span.ms_factor).bit_length() - 1
        except (ValueError, OverflowError):
            continue
        bucket = 0 if bucket < 0 else bucket if bucket < _BUCKETS else _BUCKETS - 1
        histogram = found.get(row)
        if histogram is None:
            histogram = found[row] = [0] * _BUCKETS
        histogram[bucket] += 1
    for histogram in found.values():
        while not histogram[-1]:
            histogram.pop()
    return found


def _shape_dicts(
    rows: Rows,
    kept: NDArray[np.bool_],
    table: ShapeTable,
    shown: dict[int, list[dict[str, Any]]],
    latencies: dict[int, list[int]],
) -> dict[int, list[dict[str, Any]]]:
    """Return the shapes of each digest as a LogDigest takes them, the most frequent first."""
    columns = [
        column.tolist() for column in (rows.digest, rows.shape, rows.level, rows.status, rows.count)
    ]
    times = zip(rows.first_ms.tolist(), rows.last_ms.tolist(), strict=True)
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row, (digest, code, level, status, count) in enumerate(zip(*columns, strict=True)):
        first_ms, last_ms = next(times)
        if not kept[row]:
            continue
        shape = table.shapes[code]
        found[digest].append(
            {
                "shape_id": shape.shape_id,
                "shape": shape.text,
                "level": None if level == NO_LEVEL else LEVELS[level],
                "status_class": status or None,
                "count": count,
                "first_ms": first_ms,
                "last_ms": last_ms,
                "examples": shown.get(row, ()),
                "latency_histogram": latencies.get(row, ()),
            }
        )
    for shapes in found.values():
        shapes.sort(key=_by_count)
    return found


def _by_count(shape: dict[str, Any]) -> tuple[object, ...]:
    level, status = shape["level"] or "", shape["status_class"] or 0
    return (-shape["count"], shape["shape_id"], level, status)


def _largest(digests: int, digest: Ints, values: Ints) -> list[int]:
    """Return the largest value of each digest's lines."""
    largest = np.zeros(digests, np.int64)
    np.maximum.at(largest, digest, values)
    found: list[int] = largest.tolist()
    return found


def _count(
    digests: int,
    digest: Ints,
    entries: Entries,
    flags: dict[str, NDArray[np.bool_]],
    rows: Rows,
    kept: NDArray[np.bool_],
) -> dict[str, list[int]]:
    """Return each digest's counts by name of its field."""

    def per_digest(of: Ints, weights: Ints | None = None) -> list[int]:
        counts = np.bincount(of, weights, minlength=digests)
        return [int(count) for count in counts.tolist()]

    first = np.flatnonzero(np.diff(entries.records, prepend=-1))
    return {
        "records": per_digest(digest[first]),
        "events": per_digest(rows.digest, rows.count),
        "other_shapes": per_digest(rows.digest[~kept], rows.count[~kept]),
    } | {name: per_digest(digest[marked]) for name, marked in flags.items()}
