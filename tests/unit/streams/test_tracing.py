"""Spans: nothing without an endpoint; with one their ids, parents, links, and what is in them."""

import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from streams.errors import ConfigurationError
from streams.settings import Settings
from streams.tracing import span as present
from streams.tracing.choice import make_tracing
from streams.tracing.otel import ATTRIBUTE_CHARACTERS, SpanTracing
from streams.tracing.span import NO_SPAN, NoTracing, at_work, child_span
from streams.tracing.traceparent import TraceParent, read_traceparent
from streams.tracingsettings import TracingSettings

SHIPPED = TraceParent(0xABC, 0xDEF)


def made(
    stage: str = "ingest", ratio: float = 1.0, name: str = "opspilot"
) -> tuple[SpanTracing, InMemorySpanExporter]:
    kept = InMemorySpanExporter()
    settings = Settings(tracing=TracingSettings(sample_ratio=ratio, service_name=name))
    return SpanTracing(settings, stage, SimpleSpanProcessor(kept)), kept


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def test_without_an_endpoint_a_context_is_handed_on_as_it_came():
    off = make_tracing(Settings(), "analyze")
    assert isinstance(off, NoTracing)
    assert off.batch("a", 1).traceparent is None
    assert off.delivery("x", None).traceparent is None
    assert off.delivery("x", SHIPPED).traceparent == str(SHIPPED)


def test_without_an_endpoint_opentelemetry_is_not_imported():
    program = (
        "import sys, streams.app, streams.ingest.consumer, streams.runner, agents.classify\n"
        "from streams.settings import Settings\n"
        "from streams.tracing.choice import make_tracing\n"
        "make_tracing(Settings(), 'ingest').batch('a').end()\n"
        "assert not [m for m in sys.modules if m.startswith('opentelemetry')], sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_endpoint_without_opentelemetry_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "streams.tracing.otel", None)
    settings = Settings(tracing=TracingSettings(endpoint="http://127.0.0.1:4318"))
    with pytest.raises(ConfigurationError, match=r"OPSPILOT_TRACING__ENDPOINT is set, but .*lock"):
        make_tracing(settings, "ingest")


@pytest.mark.parametrize("endpoint", ["collector:4318", "http://ann:secret@collector:4318", ""])
def test_an_endpoint_is_an_address_without_a_login(endpoint: str):
    with pytest.raises(ValueError, match="endpoint"):
        TracingSettings(endpoint=endpoint)


def test_a_batch_made_again_is_the_same_trace():
    again = [made()[0].batch("p.", "p.logs.raw", 3, 10, 20).traceparent for _ in range(2)]
    assert again[0] == again[1]
    other = made()[0].batch("p.", "p.logs.raw", 3, 10, 21).traceparent
    assert other != again[0]
    tracing, _ = made()
    tracing.batch("anything", "else").end()
    assert tracing.batch("p.", "p.logs.raw", 3, 10, 20).traceparent == again[0]


def test_each_stage_adds_a_span_below_the_one_before():
    ingest, ingested = made()
    batch = ingest.batch("p.", "p.logs.raw", 3, 10, 20)
    batch.link(SHIPPED)
    batch.end()
    analyze, analyzed = made("analyze", name="acme")
    work = analyze.delivery("analyze digests", read_traceparent(batch.traceparent), "d", 1, 5)
    with at_work(work):
        pass
    (first,), (second,) = ingested.get_finished_spans(), analyzed.get_finished_spans()
    assert first.parent is None
    assert first.kind is SpanKind.CONSUMER
    assert [link.context.trace_id for link in first.links] == [SHIPPED.trace_id]
    assert second.context.trace_id == first.context.trace_id
    assert second.parent is not None
    assert second.parent.span_id == first.context.span_id
    assert second.resource.attributes["service.name"] == "acme-analyze"
    assert str(work.traceparent).split("-")[2] == f"{second.context.span_id:016x}"
    same = analyze.delivery("analyze digests", read_traceparent(batch.traceparent), "d", 1, 5)
    assert same.traceparent == work.traceparent


def test_a_message_of_no_trace_begins_none():
    tracing, kept = made("correlate")
    with at_work(tracing.delivery("correlate findings", None, "f", 0, 1)) as span:
        assert span.traceparent is None
        child_span("model call").end()
    assert kept.get_finished_spans() == ()


def test_a_trace_that_is_not_kept_costs_no_span_anywhere():
    ingest, ingested = made(ratio=0.0)
    batch = ingest.batch("p.", 1)
    batch.end()
    parent = read_traceparent(batch.traceparent)
    assert parent is not None
    assert not parent.sampled
    analyze, analyzed = made("analyze")
    with at_work(analyze.delivery("analyze digests", parent, "d", 1)) as span:
        assert span.traceparent == batch.traceparent
        child_span("model call").end()
    assert ingested.get_finished_spans() == analyzed.get_finished_spans() == ()


def test_a_share_of_the_batches_is_kept_and_always_the_same():
    def kept_of(tracing: SpanTracing) -> set[int]:
        spans = [tracing.batch("p.", n).traceparent for n in range(1000)]
        parents = [read_traceparent(span) for span in spans]
        return {n for n, parent in enumerate(parents) if parent is not None and parent.sampled}

    first = kept_of(made(ratio=0.25)[0])
    assert kept_of(made(ratio=0.25)[0]) == first
    assert 180 < len(first) < 320


def test_what_goes_wrong_is_a_word_and_texts_are_cut():
    tracing, kept = made("classify")
    with (
        pytest.raises(ValueError, match="secret"),
        at_work(tracing.delivery("classify incidents", SHIPPED, "i", 0, 1)) as span,
    ):
        child = child_span("model call")
        child.tell({"gen_ai.response.model": "x" * 1000, "gen_ai.usage.input_tokens": 7})
        child.fail("timed-out")
        child.end()
        span.fail("handler-error")
        raise ValueError("secret")
    call, work = kept.get_finished_spans()
    assert call.kind is SpanKind.CLIENT
    assert call.parent is not None
    assert call.parent.span_id == work.context.span_id
    assert attributes(call)["gen_ai.response.model"] == "x" * ATTRIBUTE_CHARACTERS
    assert attributes(call)["gen_ai.usage.input_tokens"] == 7
    assert (call.status.status_code, call.status.description) == (StatusCode.ERROR, "timed-out")
    assert work.status.description == "handler-error"
    assert not work.events
    assert present._current.get() is NO_SPAN
