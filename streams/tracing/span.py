"""What a stage says of its work to those who follow traces; nothing at all unless it is asked to.

Comes in: batches, deliveries, calls to models. Goes out: the `traceparent` to hand on. Promise:
nothing here knows OpenTelemetry or is done per line, and where there is no span, a trace context
that came in is handed on as it is.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from streams.tracing.traceparent import TraceParent

Attribute = str | int | float | bool
"""Names, numbers and words of closed sets: never a line or what a model said."""
PLACE_ATTRIBUTES = (
    "messaging.destination.name",
    "messaging.destination.partition.id",
    "messaging.kafka.offset",
)
KEY_ATTRIBUTE = "messaging.kafka.message.key"
"""A service or an incident id, as schemas/topics.py says of each topic."""


class Span(Protocol):
    """One piece of work under way."""

    @property
    def traceparent(self) -> str | None:
        """What its outputs carry."""

    def tell(self, attributes: Mapping[str, Attribute]) -> None:
        """Add what has become known."""

    def link(self, other: TraceParent) -> None:
        """Say that it also has to do with another trace."""

    def fail(self, reason: str) -> None:
        """Say that it went wrong, in a word of a closed set."""

    def child(self, name: str) -> "Span":
        """Begin a part of it, a question to another server."""

    def end(self) -> None:
        """It is over; once."""


class Tracing(Protocol):
    """Makes the spans of one process."""

    def batch(self, *identity: object) -> Span:
        """Begin a trace with a batch of raw lines; its ids follow from `identity`."""

    def delivery(self, name: str, parent: TraceParent | None, *identity: object) -> Span:
        """Begin the work on one message, as a part of what `parent` is of."""

    def stop(self) -> None:
        """Send what waits, within a bounded time."""


class HandedOn:
    """No span: hands on what came in."""

    __slots__ = ("_traceparent",)

    def __init__(self, parent: TraceParent | None = None) -> None:
        self._traceparent = None if parent is None else str(parent)

    @property
    def traceparent(self) -> str | None:
        """What came in."""
        return self._traceparent

    def tell(self, attributes: Mapping[str, Attribute]) -> None:
        """Nobody listens."""

    def link(self, other: TraceParent) -> None:
        """Nobody listens."""

    def fail(self, reason: str) -> None:
        """Nobody listens."""

    def child(self, name: str) -> Span:  # noqa: ARG002
        """Return this: it has no parts."""
        return self

    def end(self) -> None:
        """Nothing began."""


NO_SPAN = HandedOn()


class NoTracing:
    """Makes no spans."""

    def batch(self, *identity: object) -> Span:  # noqa: ARG002
        """Begin nothing."""
        return NO_SPAN

    def delivery(self, name: str, parent: TraceParent | None, *identity: object) -> Span:  # noqa: ARG002
        """Hand `parent` on."""
        return NO_SPAN if parent is None else HandedOn(parent)

    def stop(self) -> None:
        """Nothing waits."""


_current: ContextVar[Span] = ContextVar("span", default=NO_SPAN)


@contextmanager
def at_work(span: Span) -> Iterator[Span]:
    """Let `span` be the present one until the work on it is over, however it ends."""
    token = _current.set(span)
    try:
        yield span
    finally:
        _current.reset(token)
        span.end()


def child_span(name: str) -> Span:
    """Begin a part of the present span; of none, where there is none."""
    return _current.get().child(name)
