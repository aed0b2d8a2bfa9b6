"""Which trace a shipper put its lines into, by the `traceparent` header of raw records.

Comes in: a batch and one of its digests. Goes out: a TraceParent, or None. Promise: a function of
the lines; where no record of the batch has a header, nothing is looked at.
"""

from bisect import bisect_left

from schemas.digest import LogDigest
from streams.ingest.batch import RawBatch
from streams.tracing.traceparent import HEADER, TraceParent, read_traceparent


def shipped_trace(batch: RawBatch, digest: LogDigest) -> TraceParent | None:
    """Return the trace of the first line that the digest shows as an example and that has one."""
    if batch.headers is None:
        return None
    shown = {example.offset for shape in digest.shapes for example in shape.examples}
    for offset in sorted(shown):
        for name, value in batch.headers[bisect_left(batch.offsets, offset)]:
            if name == HEADER and (found := read_traceparent(value)) is not None:
                return found
    return None
