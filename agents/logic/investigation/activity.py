"""What a service logged, slot by slot and shape by shape, kept within bounds.

Comes in: digests in any order, some twice. Goes out: counts per shape between two times.
Promise: the same digest counts once; what lies outside the period, or over the bound of shapes, is
not kept, and the latter is counted.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

from schemas.digest import SLOT_MS, LogDigest
from schemas.vocabulary import Level

MAX_SHAPES = 2_000
_MAX_EXAMPLES = 2


@dataclass(slots=True)
class ShapeFacts:
    """What is known of one shape beside its counts."""

    shape: str
    level: Level | None
    first_ms: int
    last_ms: int
    examples: tuple[str, ...]


class Activity:
    """The lines of one service in [since_ms, until_ms)."""

    def __init__(self, since_ms: int, until_ms: int) -> None:
        self.since_ms = since_ms
        self.until_ms = until_ms
        self.shapes: dict[str, ShapeFacts] = {}
        self.dropped = 0
        """Events whose shapes stood over the bound."""
        self._slots: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._seen: set[tuple[str, int, int, int, int]] = set()

    def add(self, digest: LogDigest) -> None:
        """Count one digest, once."""
        if not self.since_ms <= digest.slot_ms < self.until_ms:
            return
        source = digest.source
        mark = (
            source.topic,
            source.partition,
            source.from_offset,
            source.to_offset,
            digest.slot_ms,
        )
        if mark in self._seen:
            return
        self._seen.add(mark)
        self.dropped += digest.other_shapes
        slot = self._slots[digest.slot_ms]
        for one in digest.shapes:
            known = self.shapes.get(one.shape_id)
            texts = tuple(example.text for example in one.examples[:_MAX_EXAMPLES])
            if known is None:
                if len(self.shapes) >= MAX_SHAPES:
                    self.dropped += one.count
                    continue
                self.shapes[one.shape_id] = ShapeFacts(
                    one.shape, one.level, one.first_ms, one.last_ms, texts
                )
            else:
                known.first_ms = min(known.first_ms, one.first_ms)
                known.last_ms = max(known.last_ms, one.last_ms)
                known.examples = known.examples or texts
            slot[one.shape_id] += one.count

    @property
    def first_slot_ms(self) -> int | None:
        """Return the first slot with a line, or None where there is none."""
        return min(self._slots, default=None)

    def counts(self, from_ms: int, to_ms: int) -> Counter[str]:
        """Return the events of each shape in the slots that begin in [from_ms, to_ms)."""
        total: Counter[str] = Counter()
        for slot_ms, counts in self._slots.items():
            if from_ms <= slot_ms < to_ms:
                total.update(counts)
        return total

    def seconds(self, from_ms: int, to_ms: int) -> float:
        """Return how much of [from_ms, to_ms) lies after the service's first line."""
        first = self.first_slot_ms
        begin = to_ms if first is None else max(from_ms, first)
        return max(0, to_ms - begin) / 1000


def slot_floor(time_ms: int) -> int:
    """Return the slot in which a time lies."""
    return time_ms - time_ms % SLOT_MS
