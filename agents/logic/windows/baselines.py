"""What is usual: decayed means and variances per shape and per service, over slots of event time.

Comes in: the counts of one closed slot, zero counts included. Goes out: expectations. Promise: in
event time only, so a replay learns the same; what an open condition counts is hardly learnt.
Exponentially weighted moments (West, CACM 1979), with zeros applied when a shape is next seen.
"""

import math
from typing import NamedTuple

from agents.logic.windows.state import ServiceBaseline, ShapeState
from schemas.digest import SLOT_MS

HALF_LIFE_SLOTS = 360
"""One hour: what is usual follows the day, and outlives a short trouble."""
DECAY: float = 0.5 ** (1 / HALF_LIFE_SLOTS)
KNOWN_AFTER_SLOTS = 5
KNOWN_AFTER_MS = 1_800_000
"""A shape seen in so many slots, over so long, is known: only more of it than usual is news."""
WARM_AFTER_MS = 600_000
RECENT_DECAY: float = 0.5 ** (SLOT_MS / 30_000)
SUSPICION_HALF_LIFE_MS = 60_000
PAUSE_MS = 60_000
LATENCY_WARM_SLOTS = 12
_LATENCY_KEPT = 0.97


class Usual(NamedTuple):
    """Mean and standard deviation of a count per slot."""

    mean: float
    deviation: float

    def bound(self, deviations: float) -> float:
        """Return the count that is still usual; chance alone moves small counts too."""
        return self.mean + deviations * max(self.deviation, math.sqrt(self.mean))


def slots_weight(baseline: ServiceBaseline, slot_ms: int) -> float:
    """Return the weight of all slots before this one, since the service's first."""
    slots = max(0, slot_ms - baseline.first_slot_ms) // SLOT_MS
    return (1 - DECAY ** min(slots, 100_000)) / (1 - DECAY)


def usual_count(shape: ShapeState, baseline: ServiceBaseline, slot_ms: int) -> Usual:
    """Return what one slot of the shape usually counts, as known before this slot."""
    weight = slots_weight(baseline, slot_ms)
    if weight <= 0:
        return Usual(0.0, 0.0)
    kept = DECAY ** max(0, (slot_ms - shape.last_slot_ms) // SLOT_MS)
    return _usual(shape.mass * kept, shape.mass_squared * kept, weight)


def usual_events(baseline: ServiceBaseline, slot_ms: int) -> Usual:
    """Return what one slot of the service usually counts."""
    weight = slots_weight(baseline, slot_ms)
    return _usual(baseline.mass, baseline.mass_squared, weight) if weight > 0 else Usual(0.0, 0.0)


def _usual(mass: float, mass_squared: float, weight: float) -> Usual:
    mean = mass / weight
    return Usual(mean, math.sqrt(max(0.0, mass_squared / weight - mean * mean)))


def is_known(shape: ShapeState, slot_ms: int) -> bool:
    """Tell whether the shape is part of this service's life."""
    lasted_ms = slot_ms - shape.first_slot_ms
    return shape.slots >= KNOWN_AFTER_SLOTS and lasted_ms >= KNOWN_AFTER_MS


def is_warm(baseline: ServiceBaseline, slot_ms: int) -> bool:
    """Tell whether the service has been seen long enough to know what is usual."""
    return baseline.first_slot_ms >= 0 and slot_ms - baseline.first_slot_ms >= WARM_AFTER_MS


def learn_shape(
    shape: ShapeState, baseline: ServiceBaseline, slot_ms: int, count: int, *, troubled: bool
) -> None:
    """Take in one slot of a shape; while `troubled` by it, only as much as would be usual."""
    learnt = float(count)
    if troubled:
        learnt = min(learnt, usual_count(shape, baseline, slot_ms).bound(3.0) + 1)
    kept = DECAY ** max(0, (slot_ms - shape.last_slot_ms) // SLOT_MS)
    shape.mass = shape.mass * kept + learnt
    shape.mass_squared = shape.mass_squared * kept + learnt * learnt
    shape.last_slot_ms = slot_ms
    shape.slots += 1


def learn_service(baseline: ServiceBaseline, count: int, errors: int) -> None:
    """Take in one slot of the service, zero or not."""
    baseline.mass = baseline.mass * DECAY + count
    baseline.mass_squared = baseline.mass_squared * DECAY + count * count
    baseline.errors = baseline.errors * DECAY + errors
    baseline.present = baseline.present * DECAY + (1 if count else 0)
    baseline.recent_total *= RECENT_DECAY
    baseline.recent_errors *= RECENT_DECAY


def learn_quiet(baseline: ServiceBaseline, slots: int) -> None:
    """Take in a row of slots without lines that were not judged one by one."""
    kept = DECAY ** min(slots, 100_000)
    for name in ("mass", "mass_squared", "errors", "present"):
        setattr(baseline, name, getattr(baseline, name) * kept)
    faded = RECENT_DECAY ** min(slots, 1_000)
    baseline.recent_total *= faded
    baseline.recent_errors *= faded
    baseline.quiet_run += slots
    baseline.low_run += slots


def mean_log2(histogram: list[int]) -> float:
    """Return the mean of log2 of the durations in milliseconds."""
    total = sum(histogram)
    return sum((i + 0.5) * n for i, n in enumerate(histogram)) / total if total else 0.0


def learn_latency(shape: ShapeState, observed: float) -> None:
    """Take in the mean of one slot's durations, as log2 of milliseconds."""
    kept = min(_LATENCY_KEPT, shape.latency_slots / (shape.latency_slots + 1))
    step = observed - shape.latency_mean
    shape.latency_mean += (1 - kept) * step
    shape.latency_variance = kept * (shape.latency_variance + (1 - kept) * step * step)
    shape.latency_slots += 1
