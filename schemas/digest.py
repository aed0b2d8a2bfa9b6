"""What ingest writes to `logs.digests`: lines reduced to counts per shape, and its progress.

Comes in: one batch of one raw partition, offsets [from, to). Goes out: one LogDigest per service
and ten-second slot of event time in it, and every few seconds one Progress per digest partition.
Promise: functions of the lines alone; the merged digests of a slot do not depend on batching.
"""

from typing import ClassVar, Literal

from pydantic import Field

from schemas.base import Count, EpochMs, LongText, Part, Record, ShortText
from schemas.vocabulary import Level

SLOT_MS = 10_000


class RawRange(Part):
    """Offsets [from_offset, to_offset) of one raw partition."""

    topic: str
    partition: Count
    from_offset: Count
    to_offset: Count


class Example(Part):
    """One redacted line, kept because the hash of its offset is among the smallest of its shape."""

    offset: Count
    rank: Count
    """Hash of topic, partition, offset: the k smallest of a shape are the same in any batching."""
    time_ms: EpochMs
    text: LongText


class ShapeCount(Part):
    """What one shape did in one slot of one service, as far as this batch saw it."""

    shape_id: str
    shape: ShortText
    level: Level | None = None
    status_class: int | None = Field(default=None, ge=1, le=5)
    count: Count
    first_ms: EpochMs
    last_ms: EpochMs
    examples: tuple[Example, ...] = ()
    latency_histogram: tuple[Count, ...] = ()
    """Lines by duration: bucket i holds [2**i, 2**(i+1)) ms; bucket 0 also holds less than 1 ms."""


class LogDigest(Record):
    """The lines of one service in one slot of event time, of one batch."""

    TYPE: ClassVar[str] = "digest"
    type: Literal["digest"] = "digest"

    service: str
    slot_ms: EpochMs
    source: RawRange
    raw_partitions: Count
    """Raw partitions that exist, so that a reader knows from whom it has not heard."""
    records: Count
    """Kafka records of the batch that this digest accounts for; each is in exactly one digest."""
    events: Count
    """Log events counted in `shapes`: less where lines continue one event, more in OTLP batches."""
    continuations: Count = 0
    truncated: Count = 0
    future: Count = 0
    """Lines stamped later than they were appended plus five minutes: append time was used."""
    unstamped: Count = 0
    instances: tuple[ShortText, ...] = ()
    shapes: tuple[ShapeCount, ...]
    other_shapes: Count = 0
    """Events whose shapes stood over the bound of shapes per digest."""
    clock_ms: EpochMs
    """Event time that the raw partition has reached, in all its services, up to `to_offset`."""
    appended_ms: EpochMs
    """The latest append time of the batch: what end-to-end delay is measured from."""
    disorder_ms: Count = 0
    """How far its lines lagged behind the partition's clock: a slow shipper's own delay."""
    shaper: str
    settings_hash: str


class PartitionProgress(Part):
    """How far one raw partition has been digested."""

    topic: str
    partition: Count
    offset: Count
    """All below it has been published before this record."""
    clock_ms: EpochMs
    """Event time that the partition has reached; it goes on while caught up and idle."""
    caught_up: bool
    ended: bool = False
    """An end-of-input record was the last one: close windows, expect no more lines."""


class Progress(Record):
    """What one ingest member says of its partitions, to every partition of the digests topic."""

    TYPE: ClassVar[str] = "progress"
    type: Literal["progress"] = "progress"

    partitions: tuple[PartitionProgress, ...]
    raw_partitions: Count
    sent_ms: EpochMs
