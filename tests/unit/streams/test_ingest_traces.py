"""What ingest says of traces: one per batch, shippers' linked or handed on, digests unchanged."""

import json
from typing import cast

import numpy as np
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from streams.ingest.batch import Headers, RawBatch, ReducerOptions
from streams.ingest.promise import PartitionState
from streams.ingest.publish import BatchResult, _digest_letters
from streams.ingest.reduce import Reducer
from streams.ingest.shipped import shipped_trace
from streams.ingest.traces import begin_batch, end_batches
from streams.outbox import Letter
from streams.settings import Settings
from streams.tracing.otel import SpanTracing
from streams.tracing.span import NoTracing, Tracing
from streams.tracing.traceparent import TraceParent, read_traceparent

START_MS = 1_795_359_570_000
SHOP, BANK = TraceParent(0xA, 1), TraceParent(0xB, 2)


def carrying(trace: TraceParent | bytes) -> Headers:
    value = trace if isinstance(trace, bytes) else str(trace).encode()
    return (("other", b"x"), ("traceparent", value))


def batch_of(
    *lines: tuple[str, str, Headers], first: int = 100, append_ms: int = START_MS
) -> RawBatch:
    stamp = np.datetime64(START_MS // 1000, "s").astype(str) + "Z"
    values = [
        json.dumps({"fb_ts": stamp, "fb_path": "/a", "log": line, "fb_source": service}).encode()
        for service, line, _ in lines
    ]
    headers = [found for *_, found in lines]
    count = len(values)
    return RawBatch(
        "p.logs.raw", 3, first, first + count, list(range(first, first + count)),
        [append_ms] * count, [None] * count, list(values), headers if any(headers) else None, 6,
    )  # fmt: skip


def letters_of(tracing: Tracing, batch: RawBatch, *, committed: bool = True) -> list[Letter]:
    span = begin_batch(tracing, "p.", batch)
    reduced = Reducer(ReducerOptions()).reduce(batch)
    state = cast(PartitionState, None)  # digests do not depend on it
    result = BatchResult(batch.topic, batch.partition, batch, reduced, state, span)
    letters = list(_digest_letters(result))
    end_batches([result], committed=committed)
    return letters


def tracing_into(kept: InMemorySpanExporter) -> SpanTracing:
    return SpanTracing(Settings(), "ingest", SimpleSpanProcessor(kept))


PLAIN = batch_of(("shop", "ERROR no route", ()), ("bank", "INFO ok", ()))
SHIPPED = batch_of(
    ("shop", "INFO tick", ()),
    ("shop", "ERROR no route", carrying(SHOP)),
    ("shop", "ERROR no route", carrying(TraceParent(0xC, 3))),
    ("bank", "INFO ok", carrying(BANK)),
)


def test_tracing_changes_no_byte_of_a_digest():
    off = letters_of(NoTracing(), PLAIN)
    on = letters_of(tracing_into(InMemorySpanExporter()), PLAIN)
    assert [a.record.to_bytes() for a in off] == [b.record.to_bytes() for b in on]
    assert [a.event_id for a in off] == [b.event_id for b in on]
    assert {a.traceparent for a in off} == {None}
    assert len({b.traceparent for b in on}) == 1


def test_a_batch_made_again_has_the_same_trace_and_another_batch_another():
    def trace_of(batch: RawBatch) -> str | None:
        return letters_of(tracing_into(InMemorySpanExporter()), batch)[0].traceparent

    assert trace_of(PLAIN) == trace_of(PLAIN)
    later = batch_of(("shop", "ERROR no route", ()), ("bank", "INFO ok", ()), first=102)
    created_anew = batch_of(
        ("shop", "ERROR no route", ()), ("bank", "INFO ok", ()), append_ms=START_MS + 1
    )
    assert len({trace_of(PLAIN), trace_of(later), trace_of(created_anew)}) == 3


def test_without_tracing_a_shippers_trace_is_handed_on_with_its_service():
    found = {a.key: a.traceparent for a in letters_of(NoTracing(), SHIPPED)}
    assert found == {"default/default/shop": str(SHOP), "default/default/bank": str(BANK)}


def test_with_tracing_shippers_traces_are_linked_to_the_batch():
    kept = InMemorySpanExporter()
    letters = letters_of(tracing_into(kept), SHIPPED)
    (span,) = kept.get_finished_spans()
    own = read_traceparent(letters[0].traceparent)
    assert own is not None
    assert own.trace_id == span.context.trace_id
    assert {link.context.trace_id for link in span.links} == {SHOP.trace_id, BANK.trace_id}
    told = dict(span.attributes or {})
    assert told["opspilot.records"] == 4
    assert (told["messaging.kafka.offset"], told["opspilot.to_offset"]) == (100, 104)
    assert "no route" not in span.to_json()


def test_a_batch_that_was_not_committed_says_so():
    kept = InMemorySpanExporter()
    letters_of(tracing_into(kept), PLAIN, committed=False)
    (span,) = kept.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (
        StatusCode.ERROR, "commit-refused",
    )  # fmt: skip


def test_a_header_that_is_no_trace_is_not_handed_on():
    batch = batch_of(("shop", "ERROR no route", carrying(b"password=hunter2")))
    (digest,) = Reducer(ReducerOptions()).reduce(batch).digests
    assert shipped_trace(batch, digest) is None
    assert shipped_trace(PLAIN, digest) is None
