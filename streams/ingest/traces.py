"""The spans of ingest: each batch begins a trace, of which its digests are parts.

Comes in: batches as they are taken up and finished. Goes out: Spans. Promise: trace and span ids
follow from where the batch's records lie, so a batch made again after a crash is the same trace;
traces of shippers are linked, as a batch holds lines of many.
"""

from collections.abc import Iterable
from itertools import islice

from streams.ingest.batch import RawBatch
from streams.ingest.publish import BatchResult
from streams.ingest.shipped import shipped_trace
from streams.tracing.span import NO_SPAN, PLACE_ATTRIBUTES, Span, Tracing

MOST_LINKS = 32


def begin_batch(tracing: Tracing, prefix: str, batch: RawBatch) -> Span:
    """Begin the trace of a batch."""
    # The append time tells a topic that was created anew from the one before it.
    appended_ms = batch.append_ms[-1] if batch.append_ms else 0
    return tracing.batch(
        prefix, batch.topic, batch.partition, batch.from_offset, batch.to_offset, appended_ms
    )


def end_batches(results: Iterable[BatchResult], *, committed: bool) -> None:
    """Say what the batches came to, and end their spans."""
    for result in results:
        span, batch, counts = result.span, result.batch, result.reduced.counts
        if span is NO_SPAN:
            continue
        found = dict.fromkeys(shipped_trace(batch, digest) for digest in result.reduced.digests)
        for trace in islice(filter(None, found), MOST_LINKS):
            span.link(trace)
        place = (batch.topic, batch.partition, batch.from_offset)
        span.tell(dict(zip(PLACE_ATTRIBUTES, place, strict=True)))
        span.tell(
            {
                "opspilot.to_offset": batch.to_offset,
                "opspilot.records": counts.received,
                "opspilot.dead_lettered": len(result.reduced.dead),
                "opspilot.digests": len(result.reduced.digests),
            }
        )
        if not committed:
            span.fail("commit-refused")
        span.end()
