"""From reduced batches to messages: digests, dead letters, and the ledger's word on them.

Comes in: what batches came to. Goes out: acknowledged messages. Promise: digests of one service go
out in slot order, so that a reader can tell a repeated digest from a new one by its slot.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from schemas.digest import LogDigest, RawRange
from schemas.ids import content_id
from schemas.ledger import LedgerEntry
from schemas.topics import LEDGER, LOGS_DIGESTS
from streams import metrics
from streams.clock import now_ms
from streams.deadletters import DeadLetter
from streams.ingest.batch import RawBatch, Reduced
from streams.ingest.promise import PartitionState
from streams.ingest.shipped import shipped_trace
from streams.outbox import Letter, Outbox
from streams.tracing.span import NO_SPAN, Span

STAGE = "ingest"


@dataclass(frozen=True, slots=True)
class BatchResult:
    """One reduced batch, and the state that holds once it is published."""

    topic: str
    partition: int
    batch: RawBatch
    reduced: Reduced
    state: PartitionState
    span: Span = NO_SPAN
    """The batch's own; its digests are parts of it."""


async def publish_batches(outbox: Outbox, results: Iterable[BatchResult]) -> None:
    """Publish digests, dead letters and ledger entries; returns when the broker has all."""
    listed = list(results)
    letters = [letter for result in listed for letter in _digest_letters(result)]
    await outbox.publish(letters)
    dead = [letter for result in listed for letter in _dead_letters(result)]
    await asyncio.gather(*(outbox.set_aside(letter) for letter in dead))
    # Last, so that the ledger never claims what is not there yet.
    await outbox.publish(_ledger_letter(result) for result in listed)
    for result in listed:
        _measure(result)


def _digest_letters(result: BatchResult) -> Iterator[Letter]:
    batch = result.batch
    for digest in sorted(result.reduced.digests, key=lambda d: (d.service, d.slot_ms)):
        event_id = content_id(
            batch.topic, batch.partition, batch.from_offset, digest.service, digest.slot_ms
        )
        yield Letter(
            LOGS_DIGESTS, digest.service, digest, event_id, digest.slot_ms,
            traceparent=result.span.traceparent or _shipped(batch, digest),
        )  # fmt: skip


def _shipped(batch: RawBatch, digest: LogDigest) -> str | None:
    found = shipped_trace(batch, digest)
    return None if found is None else str(found)


def _dead_letters(result: BatchResult) -> Iterator[DeadLetter]:
    batch = result.batch
    if not result.reduced.dead:
        return
    index = {offset: i for i, offset in enumerate(batch.offsets)}
    for dead in result.reduced.dead:
        i = index[dead.offset]
        headers = batch.headers[i] if batch.headers else ()
        yield DeadLetter(
            STAGE,
            batch.topic,
            batch.partition,
            dead.offset,
            dead.reason,
            dead.message,
            now_ms(),
            batch.keys[i],
            batch.values[i],
            tuple((name, value or b"") for name, value in headers),
        )


def _ledger_letter(result: BatchResult) -> Letter:
    state = result.state
    entry = LedgerEntry(
        stage="ingest",
        chain=RawRange(
            topic=result.topic,
            partition=result.partition,
            from_offset=state.start,
            to_offset=state.position,
        ),
        ingest=state.totals,
    )
    return Letter(LEDGER, entry.key, entry, f"{entry.key}|{state.position}", state.appended_ms)


def _measure(result: BatchResult) -> None:
    counts, batch = result.reduced.counts, result.batch
    metrics.LINES_IN.inc(counts.received)
    metrics.RECORDS_DONE.labels(STAGE).inc(counts.received)
    metrics.EVENTS.inc(counts.events)
    metrics.RAW_BYTES_IN.inc(sum(map(len, filter(None, batch.values))))
    metrics.DIGESTS_OUT.inc(len(result.reduced.digests))
    for flag in ("truncated", "future", "unstamped"):
        metrics.LINES_FLAGGED.labels(flag).inc(getattr(counts, flag))
    if batch.append_ms:
        delay_seconds = (now_ms() - max(batch.append_ms)) / 1000
        metrics.END_TO_END_DELAY.labels(STAGE).observe(max(0.0, delay_seconds))
