"""What goes into the reducer and what comes out of it.

Comes in: RawBatch, a range of offsets of one raw partition, as columns. Goes out: Reduced, its
digests, its dead records and what was counted. Promise: `records == digested + dead + control`.
"""

import hashlib
import json
from dataclasses import dataclass, field

from schemas.digest import LogDigest
from schemas.ledger import IngestTotals

Header = tuple[str, bytes | None]
Headers = tuple[Header, ...]

CONTROL_HEADER = "opspilot-control"
END_OF_INPUT = b"end-of-input"
REPLAYED_HEADER = "opspilot-replayed"
"""Set by a replay of dead letters: the record counts as `replayed` too."""


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Records of [from_offset, to_offset) of one raw partition; the columns have equal length.

    Fewer records than offsets means that offsets hold none (transaction marks, compaction).
    """

    topic: str
    partition: int
    from_offset: int
    to_offset: int
    offsets: list[int]
    append_ms: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]
    headers: list[Headers] | None = None
    """None where no record of the batch has a header, which is what Fluent Bit sends."""
    raw_partitions: int = 1
    """How many raw partitions exist."""
    expired: int = 0
    """Offsets right below `from_offset` that retention removed before they could be read."""
    clock_ms: int = 0
    """Event time that the partition had reached before this batch; 0 when none was read."""

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class DeadRecord:
    """One record that cannot be read; `reason` is a short stable word."""

    offset: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Reduced:
    """What one batch came to."""

    digests: list[LogDigest]
    dead: list[DeadRecord]
    counts: IngestTotals
    """What to add to the partition's totals for this batch, `expired` included."""
    clock_ms: int
    """Event time that the partition has reached after the batch."""
    ended: bool
    """The last record of the batch was an end-of-input record."""


@dataclass(frozen=True, slots=True)
class ReducerOptions:
    """Everything but the lines that a digest depends on; the names are those of the settings."""

    max_line_bytes: int = 1 << 20
    examples_per_shape: int = 16
    routine_examples: int = 1
    """The same for shapes of level info and debug."""
    unlevelled_examples: int = 4
    """The same for shapes that state no level."""
    examples_per_digest: int = 256
    example_bytes_per_digest: int = 262_144
    shapes_per_digest: int = 256
    instances_per_digest: int = 32
    slots_per_batch: int = 4_096
    cached_keys: int = 50_000
    """Keys whose shape is remembered; a bound on memory, without influence on any digest."""
    future_tolerance_ms: int = 300_000
    default_environment: str = "default"
    default_namespace: str = "default"
    default_service: str = "unknown"
    environment_fields: tuple[str, ...] = ("env", "environment", "deployment.environment")
    namespace_fields: tuple[str, ...] = ("namespace",)
    service_fields: tuple[str, ...] = ("fb_source", "service", "service.name", "app")
    instance_fields: tuple[str, ...] = ("instance", "pod", "hostname", "host")
    message_fields: tuple[str, ...] = ("log", "message", "msg", "MESSAGE", "short_message")
    time_fields: tuple[str, ...] = ("fb_ts", "time", "timestamp", "@timestamp", "ts")
    level_fields: tuple[str, ...] = ("level", "severity", "log.level", "PRIORITY")
    redact_ips: bool = False
    hash: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        values = {name: value for name, value in _fields(self).items() if name not in _UNSEEN}
        text = json.dumps(values, sort_keys=True)
        digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        object.__setattr__(self, "hash", digest)


_UNSEEN = frozenset({"hash", "cached_keys"})


def _fields(options: ReducerOptions) -> dict[str, object]:
    return {
        name: getattr(options, name)
        for name in ReducerOptions.__dataclass_fields__
        if name != "hash"
    }
