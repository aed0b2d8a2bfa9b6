"""W3C trace context: what is read from a header, and ids that follow from content.

Comes in: a header's value, or what a batch or message is. Goes out: a TraceParent, or None.
Promise: pure; the same content gives the same ids on every worker, so what is made again after a
crash carries the same header; a value that is no trace context is never handed on.
"""

import re
from dataclasses import dataclass
from hashlib import blake2b

HEADER = "traceparent"
_FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class TraceParent:
    """A place in a trace: what a header says, and what the work behind it takes for its parent."""

    trace_id: int
    span_id: int
    flags: int = _SAMPLED

    @property
    def sampled(self) -> bool:
        """Tell whether whoever began the trace wants its spans kept."""
        return bool(self.flags & _SAMPLED)

    def __str__(self) -> str:
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{self.flags:02x}"


def read_traceparent(value: bytes | str | None) -> TraceParent | None:
    """Read a header of version 00; None where there is none, or none that is valid."""
    if not value:
        return None
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    return TraceParent(trace_id, span_id, flags) if trace_id and span_id else None


def trace_id_of(*content: object) -> int:
    """Return the 128-bit trace id of `content`, never 0."""
    return _number(16, content) or 1


def span_id_of(*content: object) -> int:
    """Return the 64-bit span id of `content`, never 0."""
    return _number(8, content) or 1


def _number(size_bytes: int, content: tuple[object, ...]) -> int:
    text = "\0".join(map(str, content)).encode()
    return int.from_bytes(blake2b(text, digest_size=size_bytes).digest(), "big")
