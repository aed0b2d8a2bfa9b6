"""Which digests count, into which slot, and up to when a service's slots may be judged.

Comes in: digests and progress, in the order of the digests topic. Goes out: a changed ServiceState
and the watermark. Promise: a digest is applied once; merging slots is associative, so how lines
were batched and how raw partitions interleave changes nothing. DESIGN.md 3, rule 9.
"""

from collections.abc import Callable
from enum import StrEnum

from agents.logic.windows.progress import ENDED, HOLD, Heard, raw_key
from agents.logic.windows.state import Example, Mark, ServiceState, Slot, SlotShape, Wording
from schemas.digest import SLOT_MS, LogDigest, ShapeCount
from schemas.ledger import WindowTotals
from schemas.vocabulary import Level

RECREATED_AFTER_MS = 3_600_000
"""A batch below the mark that was appended this much later belongs to a topic made anew."""
EXAMPLES_KEPT = 3
ROUTINE_EXAMPLES_KEPT = 2
EXAMPLE_CHARACTERS = 800
MAX_INSTANCES = 8
MAX_DISORDER_MS = 600_000
"""As far as a host's clock may be ahead of the others in its raw partition, and then some."""
FIRST_CONTACT_MS = 3_000
"""After a service's first lines, other partitions get this long to show that they carry it too."""
_DISORDER_KEPT = 0.98

KeepExamples = Callable[[ShapeCount], bool]
"""Says, from the shape alone, whether its lines may become evidence."""


class Placement(StrEnum):
    """What is to be done with a digest."""

    APPLY = "applied"
    REPEAT = "repeated"
    RECREATED = "recreated"
    BROKEN = "broken"


def place(state: ServiceState, digest: LogDigest) -> Placement:
    """Decide by the mark of the digest's raw partition whether it is next, a repeat, or neither."""
    mark = state.marks.get(raw_key(digest.source.topic, digest.source.partition))
    if mark is None or digest.source.from_offset >= mark.to_offset:
        return Placement.APPLY
    source = digest.source
    if (source.from_offset, source.to_offset) == (mark.from_offset, mark.to_offset):
        return Placement.APPLY if digest.slot_ms > mark.last_slot_ms else Placement.REPEAT
    if digest.appended_ms > mark.appended_ms + RECREATED_AFTER_MS:
        return Placement.RECREATED
    return Placement.REPEAT if source.to_offset <= mark.to_offset else Placement.BROKEN


def advance_mark(state: ServiceState, digest: LogDigest, placement: Placement) -> Mark:
    """Move the mark behind the digest; a topic made anew starts a new chain of offsets."""
    source = digest.source
    key = raw_key(source.topic, source.partition)
    mark = state.marks.get(key)
    if mark is None or placement is Placement.RECREATED:
        counts = (mark.counted, mark.late, mark.dead_lettered, mark.events) if mark else (0,) * 4
        mark = Mark(
            source.from_offset, source.from_offset, source.to_offset, digest.slot_ms,
            digest.appended_ms, 0, 0, 0, *counts,
        )  # fmt: skip
        state.marks[key] = mark
        for slot in state.open.values():
            slot.merged.pop(key, None)
    if source.from_offset != mark.from_offset:
        mark.clock_ms = max(mark.clock_ms, mark.batch_clock_ms)
    mark.from_offset, mark.to_offset = source.from_offset, source.to_offset
    mark.last_slot_ms = digest.slot_ms
    mark.appended_ms = max(mark.appended_ms, digest.appended_ms)
    # Slots of one batch come in order: what is below this one is here, what is above may not be.
    mark.clock_ms = max(mark.clock_ms, min(digest.slot_ms, digest.clock_ms))
    mark.batch_clock_ms = max(mark.batch_clock_ms, digest.clock_ms)
    decayed = int(mark.disorder_ms * _DISORDER_KEPT)
    mark.disorder_ms = min(MAX_DISORDER_MS, max(decayed, digest.disorder_ms))
    state.appended_ms = max(state.appended_ms, digest.appended_ms)
    if not state.first_appended_ms:
        state.first_appended_ms = digest.appended_ms
    return mark


def totals(mark: Mark) -> WindowTotals:
    """Return what the ledger says of one raw partition."""
    return WindowTotals(
        counted=mark.counted, late=mark.late, dead_lettered=mark.dead_lettered, events=mark.events
    )


def is_late(state: ServiceState, digest: LogDigest) -> bool:
    """Tell whether the digest's slot has been judged already."""
    return digest.slot_ms < state.next_slot_ms


def merge(state: ServiceState, digest: LogDigest, keep_examples: KeepExamples) -> None:
    """Add a digest to its open slot."""
    slot = state.open.get(digest.slot_ms)
    if slot is None:
        slot = state.open[digest.slot_ms] = Slot()
    source = raw_key(digest.source.topic, digest.source.partition)
    if slot.merged.get(source, -1) >= digest.source.to_offset:
        # The slot was written, and then the process ended before the mark was.
        return
    slot.merged[source] = digest.source.to_offset
    slot.events += digest.events
    slot.other += digest.other_shapes
    slot.appended_ms = max(slot.appended_ms, digest.appended_ms)
    if digest.instances:
        slot.instances = sorted({*slot.instances, *digest.instances})[:MAX_INSTANCES]
    for shape in digest.shapes:
        key = shape_key(shape)
        if key not in state.wordings:
            state.wordings[key] = Wording(
                shape.shape_id, shape.shape, shape.level, shape.status_class
            )
        _merge_shape(slot.shapes.setdefault(key, SlotShape()), shape, source, keep_examples)
        slot.last_ms = max(slot.last_ms, shape.last_ms)


def shape_key(shape: ShapeCount) -> str:
    """Name a shape within a service: a record's own level is not part of the shape's id."""
    level = shape.level.value[0] if shape.level else "-"
    return f"{shape.shape_id}{level}"


def _merge_shape(
    held: SlotShape, shape: ShapeCount, source: str, keep_examples: KeepExamples
) -> None:
    held.count += shape.count
    held.last_ms = max(held.last_ms, shape.last_ms)
    if shape.latency_histogram:
        held.histogram = add_histograms(held.histogram, shape.latency_histogram)
    if shape.examples and keep_examples(shape):
        found = [
            Example(e.rank, e.offset, source, e.time_ms, e.text[:EXAMPLE_CHARACTERS])
            for e in shape.examples[: examples_kept(shape.level)]
        ]
        held.examples = least(held.examples, found, examples_kept(shape.level))


def examples_kept(level: Level | None) -> int:
    """Return how many examples of a shape are kept; no more than every digest has to give."""
    routine = level in (Level.INFO, Level.DEBUG)
    return ROUTINE_EXAMPLES_KEPT if routine else EXAMPLES_KEPT


def least(one: list[Example], other: list[Example], bound: int) -> list[Example]:
    """Return the examples of least rank of both lists, none twice."""
    return sorted({*one, *other})[:bound]


def fullest_first(examples: list[Example]) -> list[Example]:
    """Order examples by their lines, then rank: one that a batch's end cut says less than a whole.

    So it decides as little as possible where batches ended.
    """
    return sorted(examples, key=lambda example: (-example.text.count("\n"), example.rank))


def add_histograms(one: list[int], other: "list[int] | tuple[int, ...]") -> list[int]:
    """Add bucket by bucket."""
    width = max(len(one), len(other))
    return [
        (one[i] if i < len(one) else 0) + (other[i] if i < len(other) else 0) for i in range(width)
    ]


def watermark(state: ServiceState, heard: Heard) -> int:
    """Return the event time up to which all lines of the service are there; HOLD or ENDED.

    The least clock of the raw partitions that may still bring lines of it: those that carried it
    and have not ended, and those that are behind. A partition that is caught up and never carried
    it does not hold, once it has said so after the service's latest lines were appended.
    """
    if not heard.complete:
        return HOLD
    since_ms = max(state.appended_ms, state.first_appended_ms + FIRST_CONTACT_MS)
    lowest = ENDED
    for key, told in heard.partitions.items():
        mark = state.marks.get(key)
        if told.ended and (mark is None or told.offset >= mark.to_offset):
            continue
        if mark is not None:
            # A word from before the latest lines may come from an idle clock far ahead of them.
            current = told.offset >= mark.to_offset
            clock_ms = max(mark.clock_ms, told.clock_ms) if current else mark.clock_ms
            lowest = min(lowest, clock_ms - mark.disorder_ms)
        elif not told.caught_up:
            lowest = min(lowest, told.clock_ms)
        elif told.sent_ms < since_ms:
            return HOLD
    return lowest


def closable(watermark_ms: int, lateness_ms: int) -> int:
    """Return the end of what may be judged: every slot that begins below it is complete."""
    if watermark_ms in (HOLD, ENDED):
        return watermark_ms
    return (watermark_ms - lateness_ms) // SLOT_MS * SLOT_MS


def take_slot(state: ServiceState, slot_ms: int) -> tuple[Slot, dict[str, Wording]]:
    """Remove a slot from the open ones; returns it with the wording of its shapes."""
    slot = state.open.pop(slot_ms)
    wordings = {key: state.wordings[key] for key in slot.shapes}
    for key in wordings:
        if not any(key in other.shapes for other in state.open.values()):
            del state.wordings[key]
    return slot, wordings
