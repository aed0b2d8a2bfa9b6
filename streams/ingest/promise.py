"""What ingest commits beside an offset: how far the next batch will go, and what was counted.

Comes in: a committed offset and its metadata. Goes out: PartitionState, and the metadata again.
Promise: whoever owns the partition next makes the same batches, and counts on from the same totals.
"""

from dataclasses import dataclass, field, replace

import msgspec

from schemas.digest import PartitionProgress
from schemas.ledger import IngestTotals


class _Metadata(msgspec.Struct, omit_defaults=True, rename={"promised": "to"}):
    """The commit's metadata; short names, since the broker bounds it to 4 KiB."""

    promised: int = 0
    start: int = 0
    clock: int = 0
    appended: int = 0
    ended: bool = False
    totals: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class PartitionState:
    """How far one raw partition has been digested; everything below `position` is published."""

    position: int
    promised_to: int | None = None
    """Where the batch that was begun must end; None when no batch was begun."""
    start: int = 0
    """The first offset that was ever read: the head of the ledger's chain."""
    clock_ms: int = 0
    """Latest event time seen."""
    appended_ms: int = 0
    """Append time of the latest record seen."""
    ended: bool = False
    totals: IngestTotals = field(default_factory=IngestTotals)

    def promise(self, to_offset: int) -> "PartitionState":
        """Say that the next batch is [position, to_offset)."""
        return replace(self, promised_to=to_offset)

    def metadata(self) -> str:
        """Return what to commit beside `position`."""
        return msgspec.json.encode(
            _Metadata(
                promised=self.promised_to or 0,
                start=self.start,
                clock=self.clock_ms,
                appended=self.appended_ms,
                ended=self.ended,
                totals={k: v for k, v in self.totals.model_dump(by_alias=False).items() if v},
            )
        ).decode()

    def advance(
        self,
        to_offset: int,
        counts: IngestTotals,
        clock_ms: int,
        appended_ms: int,
        ended: bool,
    ) -> "PartitionState":
        """Return the state after the batch [position, to_offset) is published."""
        return replace(
            self,
            position=to_offset,
            promised_to=None,
            clock_ms=max(self.clock_ms, clock_ms),
            appended_ms=max(self.appended_ms, appended_ms),
            ended=ended,
            totals=add_totals(self.totals, counts),
        )

    def progress(
        self, topic: str, partition: int, *, end_offset: int, now_ms: int
    ) -> PartitionProgress:
        """Say how far event time is.

        A partition that is caught up and idle goes on at the pace of the clock, and keeps the
        distance that its last line had between event time and append time: windows close when
        nothing comes, and a replay of old lines does not leap to the present when it pauses.
        """
        caught_up = self.position >= end_offset
        clock_ms = self.clock_ms
        if caught_up and not self.ended:
            if self.appended_ms:
                clock_ms = max(clock_ms, clock_ms + now_ms - self.appended_ms)
            else:
                clock_ms = now_ms
        return PartitionProgress(
            topic=topic,
            partition=partition,
            offset=self.position,
            clock_ms=max(clock_ms, 0),
            caught_up=caught_up,
            ended=self.ended,
        )


def read_state(offset: int, metadata: str) -> PartitionState:
    """Read a commit of ours; a foreign or empty metadata counts as a fresh start at `offset`."""
    try:
        found = msgspec.json.decode(metadata, type=_Metadata)
    except msgspec.DecodeError:
        return PartitionState(position=offset, start=offset)
    return PartitionState(
        position=offset,
        promised_to=found.promised or None,
        start=found.start,
        clock_ms=found.clock,
        appended_ms=found.appended,
        ended=found.ended,
        totals=IngestTotals(**found.totals),
    )


def add_totals(left: IngestTotals, right: IngestTotals) -> IngestTotals:
    """Add field by field."""
    added = {name: getattr(left, name) + getattr(right, name) for name in IngestTotals.model_fields}
    return IngestTotals(**added)
