"""What was counted: cumulative figures per stage and partition, chained by offsets.

Promise: records received = counted in windows + late + dead-lettered + expired before reading,
for every raw partition; `LedgerEntry.chain` says from where to where a figure speaks.
"""

from typing import ClassVar, Literal

from schemas.base import Count, Part, Record
from schemas.digest import RawRange


class IngestTotals(Part):
    """Cumulative since the first offset of the raw partition."""

    received: Count = 0
    """Records read: digested + dead_lettered + control."""
    digested: Count = 0
    dead_lettered: Count = 0
    expired: Count = 0
    """Offsets that retention removed before they could be read."""
    control: Count = 0
    """End-of-input records and replays' own marks, apart."""
    replayed: Count = 0
    """Of `received`, those that came back from the dead letters."""
    events: Count = 0
    continuations: Count = 0
    truncated: Count = 0
    future: Count = 0
    unstamped: Count = 0


class WindowTotals(Part):
    """Cumulative per service and raw partition, as applied by analyze."""

    counted: Count = 0
    """Records counted in windows."""
    late: Count = 0
    dead_lettered: Count = 0
    """Records of digests that did not continue the chain."""
    events: Count = 0


class LedgerEntry(Record):
    """The latest word of one stage on one raw partition (and, for analyze, one service)."""

    TYPE: ClassVar[str] = "ledger"
    type: Literal["ledger"] = "ledger"

    stage: Literal["ingest", "analyze"]
    service: str | None = None
    chain: RawRange
    ingest: IngestTotals | None = None
    windows: WindowTotals | None = None

    @property
    def key(self) -> str:
        """The compaction key: stage, raw partition, and service where there is one."""
        parts = [self.stage, self.chain.topic, str(self.chain.partition), self.service or ""]
        return "|".join(parts)
