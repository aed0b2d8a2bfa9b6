"""What is wrong in one closed slot: one function per kind of finding.

Comes in: the slot's shapes with what is usual for them. Goes out: signals, most telling first.
Promise: pure functions of the state before the slot and of the slot, in event time; a shape that
has long been there is noise unless there is much more of it than usual.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agents.logic.windows.baselines import (
    LATENCY_WARM_SLOTS,
    SUSPICION_HALF_LIFE_MS,
    is_known,
    is_warm,
    mean_log2,
    slots_weight,
    usual_count,
    usual_events,
)
from agents.logic.windows.grading import OPENS_ALONE
from agents.logic.windows.state import ServiceBaseline, ServiceState, ShapeState, SlotShape
from schemas.vocabulary import FindingKind, Level

SLOT_SECONDS = 10
COUNTED_PER_SLOT = 10
"""Lines of one shape that add to the suspicion of one slot: volume alone proves nothing."""
ENOUGH_SUSPICION = 2.5
"""Three sure problems within seconds, or more within a minute; see docs/decisions/0006."""
ECHO_SHARE = 0.3
KNOWN_DEVIATIONS = 4.0
LEAST_WEIGHT = 0.25
"""Shapes that weigh less add to the suspicion, but are no condition of their own."""
RATIO_LEAST_ERRORS = 8
RATIO_FACTOR = 3.0
RATIO_STEP = 0.15
RATIO_DEVIATIONS = 5.0
LATENCY_LEAST_LINES = 5
LATENCY_STEP_LOG2 = 1.5
LATENCY_DEVIATIONS = 4.0
LATENCY_HIGH_SLOTS = 2
STEADY_PRESENCE = 0.9
STEADY_VARIATION = 0.5
DROP_SHARE = 0.2
DROP_LEAST_MEAN = 5.0
QUIET_SLOTS = 6
_ERROR_LEVELS = (Level.ERROR, Level.FATAL)
_BAD_LEVELS = (Level.WARN, *_ERROR_LEVELS)


@dataclass(frozen=True, slots=True)
class Seen:
    """One shape in the slot at hand."""

    key: str
    shape: ShapeState
    slot: SlotShape

    @property
    def is_error(self) -> bool:
        """Tell whether its lines count as errors of the service."""
        wording = self.shape.wording
        return wording.level in _ERROR_LEVELS or wording.status_class == 5


@dataclass(frozen=True, slots=True)
class Signal:
    """Something wrong: what it is about, what was seen and what was expected."""

    kind: FindingKind
    subject: str
    """A shape's key, or `service`."""
    keys: tuple[str, ...]
    """The shapes whose lines are its evidence."""
    observed: float
    expected: float
    unit: str
    score: float
    statement: str


def detect(state: ServiceState, slot_ms: int, seen: Sequence[Seen]) -> list[Signal]:
    """Return what is wrong in the slot; changes what the baseline holds of runs and suspicion."""
    signals = list(_suspicious(state, slot_ms, seen))
    signals += _error_ratio(state.baseline, slot_ms, seen)
    for one in seen:
        signals += _latency(one)
    signals += _missing(state.baseline, slot_ms, sum(one.slot.count for one in seen))
    return sorted(signals, key=lambda signal: (-signal.score, signal.kind, signal.subject))


def unusual_count(one: Seen, baseline: ServiceBaseline, slot_ms: int) -> int:
    """Return how many of the shape's lines are more than what is usual for it."""
    if not is_known(one.shape, slot_ms):
        return one.slot.count
    bound = usual_count(one.shape, baseline, slot_ms).bound(KNOWN_DEVIATIONS)
    return max(0, one.slot.count - math.ceil(bound))


def _suspicious(state: ServiceState, slot_ms: int, seen: Sequence[Seen]) -> Iterator[Signal]:
    """New, bursting and severe lines, by a suspicion that all of them share and that fades."""
    baseline = state.baseline
    passed_ms = max(0, slot_ms - baseline.suspicion_slot_ms)
    suspicion = baseline.suspicion * 0.5 ** (passed_ms / SUSPICION_HALF_LIFE_MS)
    counts = {one.key: unusual_count(one, baseline, slot_ms) for one in seen if one.shape.weight}
    suspicion += _added([(one, counts[one.key]) for one in seen if counts.get(one.key)])
    baseline.suspicion, baseline.suspicion_slot_ms = suspicion, slot_ms
    if suspicion < ENOUGH_SUSPICION:
        return
    for one in seen:
        if counts.get(one.key) and one.shape.weight >= LEAST_WEIGHT:
            yield _about_shape(one, baseline, slot_ms)


def _added(unusual: Sequence[tuple[Seen, int]]) -> float:
    """Return what the unusual lines of one slot add to the suspicion.

    Single lines for which their logger states no bad level are mostly several words on one event
    (one failed login writes four): of these the worst counts in full, the others a part.
    """
    added, singles = 0.0, []
    for one, count in unusual:
        if count == 1 and one.shape.wording.level not in _BAD_LEVELS:
            singles.append(one.shape.weight)
        else:
            added += one.shape.weight * min(count, COUNTED_PER_SLOT)
    if singles:
        added += max(singles) + ECHO_SHARE * (sum(singles) - max(singles))
    return added


def _about_shape(one: Seen, baseline: ServiceBaseline, slot_ms: int) -> Signal:
    shape, count = one.shape, one.slot.count
    expected = usual_count(shape, baseline, slot_ms).mean if shape.slots else 0.0
    if is_known(shape, slot_ms):
        kind, score = FindingKind.BURST, 0.5 + shape.problem / 2
        said = f"{count} in {SLOT_SECONDS} s where {expected:.1f} are usual"
    elif shape.weight >= OPENS_ALONE:
        kind, score = FindingKind.RARE_SEVERE, 0.6 + 0.4 * shape.problem
        said = "a severe line" if count == 1 else f"{count} severe lines in {SLOT_SECONDS} s"
    else:
        kind, score = FindingKind.NEW_TEMPLATE, 0.4 + shape.problem / 2
        said = "a new line" if count == 1 else f"{count} new lines in {SLOT_SECONDS} s"
    return Signal(
        kind,
        one.key,
        (one.key,),
        float(count),
        round(expected, 3),
        f"lines per {SLOT_SECONDS} s",
        round(min(1.0, score), 4),
        f"{said}: {shape.wording.text}"[:400],
    )


def _error_ratio(baseline: ServiceBaseline, slot_ms: int, seen: Sequence[Seen]) -> Iterator[Signal]:
    """Tell when many more of the service's lines than usual are errors."""
    errors = baseline.recent_errors + sum(one.slot.count for one in seen if one.is_error)
    total = baseline.recent_total + sum(one.slot.count for one in seen)
    if not is_warm(baseline, slot_ms) or errors < RATIO_LEAST_ERRORS or baseline.mass <= 0:
        return
    usual = min(1.0, baseline.errors / baseline.mass)
    ratio = errors / total
    spread = math.sqrt(total * usual * (1 - usual) + 1)
    if ratio < max(usual * RATIO_FACTOR, usual + RATIO_STEP):
        return
    if errors - total * usual < RATIO_DEVIATIONS * spread:
        return
    worst = sorted(
        (one for one in seen if one.is_error), key=lambda one: (-one.slot.count, one.key)
    )
    if worst:
        yield Signal(
            FindingKind.ERROR_RATIO,
            "service",
            tuple(one.key for one in worst[:5]),
            round(ratio, 4),
            round(usual, 4),
            "share of lines",
            round(min(1.0, 0.6 + ratio / 2), 4),
            f"{ratio:.0%} of the lines are errors where {usual:.1%} are usual",
        )


def _latency(one: Seen) -> Iterator[Signal]:
    """Tell when a shape's durations are several times what they were, slot after slot."""
    shape = one.shape
    if sum(one.slot.histogram) < LATENCY_LEAST_LINES or shape.latency_slots < LATENCY_WARM_SLOTS:
        return
    observed = mean_log2(one.slot.histogram)
    step = max(LATENCY_STEP_LOG2, LATENCY_DEVIATIONS * math.sqrt(shape.latency_variance))
    if observed < shape.latency_mean + step:
        shape.latency_high = 0
        return
    shape.latency_high += 1
    if shape.latency_high >= LATENCY_HIGH_SLOTS:
        now_ms, usual_ms = 2**observed, 2**shape.latency_mean
        yield Signal(
            FindingKind.LATENCY,
            one.key,
            (one.key,),
            round(now_ms, 1),
            round(usual_ms, 1),
            "ms",
            0.7,
            f"durations of about {now_ms:,.0f} ms where {usual_ms:,.0f} ms are usual: "
            f"{shape.wording.text}"[:400],
        )


def is_steady(baseline: ServiceBaseline, slot_ms: int) -> bool:
    """Tell whether the service has been writing in nearly every slot for long enough."""
    present = STEADY_PRESENCE * slots_weight(baseline, slot_ms)
    return is_warm(baseline, slot_ms) and baseline.present >= present


def _missing(baseline: ServiceBaseline, slot_ms: int, count: int) -> Iterator[Signal]:
    """Tell when a steady service writes much less than usual, or nothing."""
    usual = usual_events(baseline, slot_ms)
    steady = is_steady(baseline, slot_ms)
    if count:
        baseline.longest_gap = max(baseline.longest_gap, baseline.quiet_run)
        baseline.quiet_run = 0
    else:
        baseline.quiet_run += 1
    low = count <= DROP_SHARE * usual.mean
    baseline.low_run = baseline.low_run + 1 if low else 0
    if not steady:
        return
    if not count:
        if baseline.quiet_run >= max(QUIET_SLOTS, 3 * baseline.longest_gap):
            seconds = baseline.quiet_run * SLOT_SECONDS
            yield _about_service(
                FindingKind.SILENCE, 0.0, usual.mean, 0.75,
                f"no line for {seconds} s where {usual.mean:.1f} per {SLOT_SECONDS} s are usual",
            )  # fmt: skip
        return
    even = usual.deviation <= STEADY_VARIATION * usual.mean and usual.mean >= DROP_LEAST_MEAN
    if even and baseline.low_run >= QUIET_SLOTS:
        yield _about_service(
            FindingKind.DROP, float(count), usual.mean, 0.6,
            f"{count} lines in {SLOT_SECONDS} s where {usual.mean:.1f} are usual",
        )  # fmt: skip


def _about_service(
    kind: FindingKind, observed: float, expected: float, score: float, statement: str
) -> Signal:
    return Signal(
        kind, "service", (), observed, round(expected, 3), f"lines per {SLOT_SECONDS} s",
        score, statement,
    )  # fmt: skip
