"""Analysis of one service, one digest or one progress record at a time.

Comes in: a ServiceState, a digest or what was heard of progress. Goes out: findings, and the state
changed in place. Promise: a slot is judged once, in order, when all its lines are there; so the
findings are a function of the lines. Whoever calls throws the state away if this raises.
"""

from dataclasses import dataclass

from agents.logic.templates import group
from agents.logic.windows import baselines, slots
from agents.logic.windows.conditions import finish, follow, open_subjects, settle_slot_ms
from agents.logic.windows.detectors import Seen, detect, is_steady
from agents.logic.windows.grading import WORTH_KEEPING, Grader
from agents.logic.windows.progress import ENDED, HOLD, Heard, raw_key
from agents.logic.windows.slots import Placement
from agents.logic.windows.state import (
    AnalyzeRules,
    ServiceState,
    ShapeState,
    Slot,
    SlotShape,
    Wording,
)
from schemas.digest import SLOT_MS, LogDigest, ShapeCount
from schemas.finding import Finding
from schemas.vocabulary import Level

TEXT_REMEMBERED = 160
"""Characters of a shape's text that are kept once its slot is judged: enough to tell its group."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one digest."""

    placement: Placement
    late: bool


class Analyzer:
    """Judges services by one set of rules."""

    def __init__(self, rules: AnalyzeRules, grader: Grader) -> None:
        self._rules = rules
        self._grader = grader

    def take(self, state: ServiceState, digest: LogDigest) -> Applied:
        """Put a digest where it belongs; judges nothing. BROKEN digests are counted, not merged."""
        placement = slots.place(state, digest)
        key = raw_key(digest.source.topic, digest.source.partition)
        if placement is Placement.REPEAT:
            return Applied(placement, False)
        if placement is Placement.BROKEN:
            state.marks[key].dead_lettered += digest.records
            return Applied(placement, False)
        mark = slots.advance_mark(state, digest, placement)
        late = slots.is_late(state, digest)
        if late:
            mark.late += digest.records
        else:
            mark.counted += digest.records
            mark.events += digest.events
            slots.merge(state, digest, self._keeps(digest.service))
        return Applied(placement, late)

    def advance(self, state: ServiceState, heard: Heard) -> list[Finding]:
        """Judge every slot that is complete by now."""
        reached_ms = slots.watermark(state, heard)
        end_ms = slots.closable(reached_ms, self._rules.allowed_lateness_ms)
        findings: list[Finding] = []
        if end_ms == ENDED:
            findings += self._judge_up_to(state, max(state.open, default=-SLOT_MS) + SLOT_MS)
            findings += self._judge_up_to(state, settle_slot_ms(state) + SLOT_MS)
            if state.next_slot_ms >= 0:
                findings += finish(state, state.next_slot_ms - SLOT_MS)
        elif end_ms != HOLD:
            findings += self._judge_up_to(state, end_ms)
        over = len(state.open) - self._rules.max_open_slots
        if over > 0:
            findings += self._judge_up_to(state, sorted(state.open)[over - 1] + SLOT_MS)
        return findings

    def _keeps(self, service: str) -> slots.KeepExamples:
        def keep(shape: ShapeCount) -> bool:
            if shape.level in (Level.WARN, Level.ERROR, Level.FATAL) or shape.latency_histogram:
                return True
            grade = self._grader(shape.shape, shape.level, shape.status_class, service)
            return grade.problem >= WORTH_KEEPING

        return keep

    def _judge_up_to(self, state: ServiceState, end_ms: int) -> list[Finding]:
        """Judge all slots that begin below `end_ms`, those without lines too."""
        findings: list[Finding] = []
        for slot_ms in sorted(slot for slot in state.open if slot < end_ms):
            findings += self._judge_quiet(state, slot_ms)
            slot, wordings = slots.take_slot(state, slot_ms)
            findings += self._judge(state, slot_ms, slot, wordings)
        findings += self._judge_quiet(state, end_ms)
        return findings

    def _judge_quiet(self, state: ServiceState, end_ms: int) -> list[Finding]:
        """Judge the slots without lines up to `end_ms`; step over those that can tell nothing."""
        findings: list[Finding] = []
        if state.next_slot_ms < 0:
            return findings
        judged_to_ms = min(
            end_ms, state.last_line_slot_ms + (self._rules.max_quiet_slots + 1) * SLOT_MS
        )
        while state.next_slot_ms < judged_to_ms and not _sleeps(state):
            findings += self._judge(state, state.next_slot_ms, Slot(), {})
        if state.next_slot_ms < end_ms:
            baselines.learn_quiet(state.baseline, (end_ms - state.next_slot_ms) // SLOT_MS)
            state.next_slot_ms = end_ms
        return findings

    def _judge(
        self, state: ServiceState, slot_ms: int, slot: Slot, wordings: dict[str, Wording]
    ) -> list[Finding]:
        baseline = state.baseline
        if baseline.first_slot_ms < 0:
            baseline.first_slot_ms = slot_ms
        seen = [
            Seen(
                key,
                self._known_shape(state, key, wordings[key], slot.shapes[key], slot_ms),
                slot.shapes[key],
            )
            for key in sorted(slot.shapes)
        ]
        for one in seen:
            paused = slot_ms - one.shape.last_slot_ms > baselines.PAUSE_MS
            one.shape.recent = one.slot.count + (0 if paused else one.shape.recent)
        signals = detect(state, slot_ms, seen)
        findings = follow(state, slot_ms, slot, seen, signals, self._rules)
        self._learn(state, slot_ms, seen)
        state.next_slot_ms = slot_ms + SLOT_MS
        if slot.events:
            state.last_line_slot_ms = slot_ms
        return findings

    def _known_shape(
        self, state: ServiceState, key: str, wording: Wording, slot: SlotShape, slot_ms: int
    ) -> ShapeState:
        known = state.shapes.get(key)
        if known is not None:
            return known
        level = Level(wording.level) if wording.level else None
        text = slots.fullest_first(slot.examples)[0].text if slot.examples else wording.text
        grade = self._grader(text, level, wording.status_class, state.service)
        kept = Wording(
            wording.shape_id, wording.text[:TEXT_REMEMBERED], wording.level, wording.status_class
        )
        shape = ShapeState(kept, grade.problem, grade.severity, grade.weight, slot_ms, slot_ms)
        if grade.weight and baselines.is_warm(state.baseline, slot_ms):
            _inherit(state, key, shape)
        state.shapes[key] = shape
        return shape

    def _learn(self, state: ServiceState, slot_ms: int, seen: list[Seen]) -> None:
        baseline = state.baseline
        troubled = open_subjects(state)
        errors = 0
        for one in seen:
            in_trouble = one.key in troubled
            baselines.learn_shape(one.shape, baseline, slot_ms, one.slot.count, troubled=in_trouble)
            if one.slot.histogram and not one.shape.latency_high:
                baselines.learn_latency(one.shape, baselines.mean_log2(one.slot.histogram))
            if one.is_error:
                errors += one.slot.count
        total = sum(one.slot.count for one in seen)
        quiet = any(c.kind in ("silence", "drop") for c in state.conditions.values())
        if not quiet:
            ratio_open = any(c.kind == "error_ratio" for c in state.conditions.values())
            baselines.learn_service(baseline, total, 0 if ratio_open else errors)
        baseline.recent_errors += errors * baselines.RECENT_DECAY
        baseline.recent_total += total * baselines.RECENT_DECAY
        self._forget(state)

    def _forget(self, state: ServiceState) -> None:
        over = len(state.shapes) - self._rules.max_shapes
        if over > 0:
            oldest = sorted(state.shapes, key=lambda key: (state.shapes[key].last_slot_ms, key))
            for key in oldest[:over]:
                del state.shapes[key]


def _sleeps(state: ServiceState) -> bool:
    """Tell whether quiet slots can tell nothing: nothing is open, and silence is not unusual."""
    return not state.conditions and not is_steady(state.baseline, state.next_slot_ms)


def _inherit(state: ServiceState, key: str, shape: ShapeState) -> None:
    """Take over what is usual for the template that a new shape joins, if the service knows it."""
    words = shape.wording.text.count(" ")
    near = {
        other: known
        for other, known in state.shapes.items()
        if known.wording.text.count(" ") == words and known.wording.level == shape.wording.level
    }
    if not near:
        return
    near[key] = shape
    grouping = group((other, known.wording.text) for other, known in near.items())
    own = grouping[key].template_id
    members = [k for o, k in near.items() if o != key and grouping[o].template_id == own]
    if members:
        usual = max(members, key=lambda member: (member.mass, member.wording.shape_id))
        shape.first_slot_ms = min(member.first_slot_ms for member in members)
        shape.slots, shape.last_slot_ms = usual.slots, usual.last_slot_ms
        shape.mass, shape.mass_squared = usual.mass, usual.mass_squared
