"""How far ingest is in each raw partition, as one digest partition has been told.

Comes in: Progress records, perhaps repeated or out of date. Goes out: Heard, what the watermark of
every service rests on. Promise: an older word never replaces a newer one.
"""

from dataclasses import dataclass, field

from schemas.digest import PartitionProgress, Progress

HOLD = -1
"""A watermark that lets nothing be judged: some raw partition has not been heard of."""
ENDED = 1 << 60
"""A watermark behind all lines: every raw partition has ended."""
STALE_AFTER_MS = 60_000


def raw_key(topic: str, partition: int) -> str:
    """Name a raw partition."""
    return f"{topic}|{partition}"


@dataclass(frozen=True, slots=True)
class Told:
    """The latest word on one raw partition."""

    offset: int
    clock_ms: int
    caught_up: bool
    ended: bool
    sent_ms: int


@dataclass(slots=True)
class Heard:
    """All that was told; kept in memory, since ingest says it again every few seconds."""

    partitions: dict[str, Told] = field(default_factory=dict)
    raw_partitions: int = 0

    @property
    def complete(self) -> bool:
        """Tell whether every raw partition that exists has been heard of."""
        return 0 < self.raw_partitions <= len(self.partitions)

    def take(self, progress: Progress) -> bool:
        """Take in one record; returns whether anything in it was news."""
        self.raw_partitions = progress.raw_partitions
        news = False
        for said in progress.partitions:
            key = raw_key(said.topic, said.partition)
            known = self.partitions.get(key)
            if known is None or _newer(said, progress.sent_ms, known):
                self.partitions[key] = Told(
                    said.offset, said.clock_ms, said.caught_up, said.ended, progress.sent_ms
                )
                news = True
        return news


def _newer(said: PartitionProgress, sent_ms: int, known: Told) -> bool:
    if said.offset < known.offset:
        # Offsets go back only when the topic was made anew, which takes longer than a rebalance.
        return sent_ms > known.sent_ms + STALE_AFTER_MS
    return sent_ms >= known.sent_ms or said.offset > known.offset
