"""Makes spans by OpenTelemetry; imported only where an endpoint is configured.

Comes in: settings with an endpoint, a stage. Goes out: spans to the shipment. Promise: ids of
batches and messages follow from what they are; a trace that its beginner does not keep costs no
span; attributes hold names, numbers and words of closed sets.
"""

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from streams.settings import Settings
from streams.tracing.shipment import SpanShipment
from streams.tracing.span import Attribute, HandedOn, Span
from streams.tracing.traceparent import TraceParent, span_id_of, trace_id_of

ATTRIBUTE_CHARACTERS = 200
"""A model's server names itself as it likes."""


class SpanTracing:
    """Makes the spans of one process."""

    def __init__(
        self, settings: Settings, stage: str, processor: SpanProcessor | None = None
    ) -> None:
        """`processor` takes the finished spans; without it they are shipped to the endpoint."""
        self._stage = stage
        self._ids = _ForeseenIds()
        self._processor = processor or SpanShipment(settings.tracing)
        provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.tracing.sample_ratio)),
            resource=Resource({"service.name": f"{settings.tracing.service_name}-{stage}"}),
            shutdown_on_exit=False,
            id_generator=self._ids,
        )
        provider.add_span_processor(self._processor)
        self._tracer = provider.get_tracer("opspilot")

    def batch(self, *identity: object) -> Span:
        """Begin a trace with a batch of raw lines; its ids follow from `identity`."""
        self._ids.foresee(span_id_of(self._stage, *identity), trace_id_of(*identity))
        begun = self._tracer.start_span(
            f"{self._stage} batch",
            trace.set_span_in_context(trace.INVALID_SPAN),
            kind=trace.SpanKind.CONSUMER,
        )
        return _RealSpan(self._tracer, begun)

    def delivery(self, name: str, parent: TraceParent | None, *identity: object) -> Span:
        """Begin the work on one message; a message of no trace, or of one not kept, gets none."""
        if parent is None or not parent.sampled:
            return HandedOn(parent)
        self._ids.foresee(span_id_of(self._stage, *identity))
        around = trace.set_span_in_context(trace.NonRecordingSpan(_context(parent)))
        begun = self._tracer.start_span(name, around, kind=trace.SpanKind.CONSUMER)
        return _RealSpan(self._tracer, begun)

    def stop(self) -> None:
        """Send what waits, within a bounded time."""
        self._processor.shutdown()


class _RealSpan:
    """A span of OpenTelemetry's, by our own names."""

    def __init__(self, tracer: trace.Tracer, begun: trace.Span) -> None:
        self._tracer = tracer
        self._begun = begun

    @property
    def traceparent(self) -> str | None:
        context = self._begun.get_span_context()
        return str(TraceParent(context.trace_id, context.span_id, int(context.trace_flags)))

    def tell(self, attributes: Mapping[str, Attribute]) -> None:
        for name, value in attributes.items():
            shown = value[:ATTRIBUTE_CHARACTERS] if isinstance(value, str) else value
            self._begun.set_attribute(name, shown)

    def link(self, other: TraceParent) -> None:
        self._begun.add_link(_context(other))

    def fail(self, reason: str) -> None:
        self._begun.set_status(trace.Status(trace.StatusCode.ERROR, reason))

    def child(self, name: str) -> Span:
        around = trace.set_span_in_context(self._begun)
        begun = self._tracer.start_span(name, around, kind=trace.SpanKind.CLIENT)
        return _RealSpan(self._tracer, begun)

    def end(self) -> None:
        self._begun.end()


class _ForeseenIds(RandomIdGenerator):
    """Gives the ids that were foreseen for the next span, else a drawn one.

    Foreseen and started without a pause between, in one thread: no other span can come first.
    """

    def __init__(self) -> None:
        self._span_id = self._trace_id = 0

    def foresee(self, span_id: int, trace_id: int = 0) -> None:
        self._span_id, self._trace_id = span_id, trace_id

    def generate_span_id(self) -> int:
        found, self._span_id = self._span_id, 0
        return found or super().generate_span_id()

    def generate_trace_id(self) -> int:
        found, self._trace_id = self._trace_id, 0
        return found or super().generate_trace_id()

    def is_trace_id_random(self) -> bool:
        return False


def _context(parent: TraceParent) -> trace.SpanContext:
    flags = trace.TraceFlags(parent.flags)
    return trace.SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=flags)
