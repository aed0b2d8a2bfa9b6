"""Severity and priority from evidence: wording, kind of finding, counts, and how many are hit.

Comes in: what the classifier says of each line, with weights, counts and kinds.
Goes out: one distribution over severities, the severity taken from it, and a priority.
Promise: never looked up from the category; the same evidence gives the same answer in any order.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.vocabulary import FindingKind, Priority, Severity

_WORST_WEIGHT = 1.0
"""How much more a bad line counts than a mild one: one panic among warnings is a panic."""
_ONCE_LINES = 10
"""Up to so many bad lines the wording alone decides; labels say what a line means seen once."""
_SHIFT_PER_DOUBLING = 0.4
_MOST_COUNT_SHIFT = 1.2
_KIND_SHIFTS: dict[FindingKind, float] = {
    FindingKind.BURST: 0.2,
    FindingKind.ERROR_RATIO: 0.3,
    FindingKind.RARE_SEVERE: 0.3,
    FindingKind.LATENCY: 0.1,
}
_SHIFT_PER_SERVICE = 0.4
_SERVICES_COUNTED = 4
_KIND_GRADES: dict[FindingKind, dict[Severity, float]] = {
    # Nothing bad is worded when lines stop: what is known is only that they did.
    FindingKind.SILENCE: {
        Severity.CRITICAL: 0.15,
        Severity.HIGH: 0.55,
        Severity.MEDIUM: 0.25,
        Severity.LOW: 0.05,
    },
    FindingKind.DROP: {
        Severity.CRITICAL: 0.05,
        Severity.HIGH: 0.35,
        Severity.MEDIUM: 0.5,
        Severity.LOW: 0.1,
    },
}
_CUTS = (0.75, 1.5, 2.15)
"""Mean ranks from which on a severity is medium, high, critical."""
_WIDE_SERVICES = 3
_WIDE_LINES = 1_000


@dataclass(frozen=True, slots=True)
class Graded:
    """One distinct piece of evidence: its share in the judgement and its grades from wording."""

    weight: float
    problem: float
    grades: Mapping[Severity, float]
    count: int
    kind: FindingKind | None


def severity_distribution(
    evidence: Sequence[Graded], *, services: int, leading: Graded | None = None
) -> dict[Severity, float]:
    """Return the probability of each severity; `services` is how many are hit, at least one.

    Where a leading line is given, the others may raise what it says and never lower it.
    """
    shift = _shift(evidence, services)
    together = _shifted(evidence, shift)
    if leading is None:
        return together
    return max(_shifted((leading,), shift), together, key=_mean_rank)


def _shifted(evidence: Sequence[Graded], shift: float) -> dict[Severity, float]:
    """Return the weighted grades, moved by so many log-odds per step."""
    total = dict.fromkeys(Severity, 0.0)
    for piece in evidence:
        grades = _KIND_GRADES.get(piece.kind, piece.grades) if piece.kind else piece.grades
        weight = piece.weight * math.exp(_WORST_WEIGHT * _mean_rank(grades))
        for severity in Severity:
            total[severity] += weight * grades[severity]
    shifted = {
        severity: share * math.exp(shift * severity.rank) for severity, share in total.items()
    }
    whole = sum(shifted.values())
    return {severity: share / whole for severity, share in shifted.items()}


def _mean_rank(grades: Mapping[Severity, float]) -> float:
    return sum(severity.rank * share for severity, share in grades.items())


def _shift(evidence: Sequence[Graded], services: int) -> float:
    """Return how far counts, kinds and scope move the judgement, in log-odds per severity step."""
    lines = sum(piece.count * piece.problem for piece in evidence)
    doublings = math.log2(max(1.0, lines / _ONCE_LINES))
    kinds = max(_KIND_SHIFTS.get(piece.kind, 0.0) if piece.kind else 0.0 for piece in evidence)
    others = min(max(0, services - 1), _SERVICES_COUNTED)
    by_count = min(_SHIFT_PER_DOUBLING * doublings, _MOST_COUNT_SHIFT)
    return by_count + kinds + _SHIFT_PER_SERVICE * others


def severity_of(distribution: Mapping[Severity, float]) -> Severity:
    """Return the severity at the mean rank: grades are ordered, so a near miss costs less.

    The cuts were chosen by cross-validation on the training events, for agreement as a whole
    (quadratic kappa) without loss of exact hits.
    """
    mean_rank = _mean_rank(distribution)
    above = sum(mean_rank >= cut for cut in _CUTS)
    return next(severity for severity in Severity if severity.rank == above)


def priority_of(severity: Severity, *, services: int, count: int) -> Priority:
    """Return how soon to act: the severity's own place, one higher where the scope is wide."""
    places = list(Priority)
    place = 3 - severity.rank
    wide = services >= _WIDE_SERVICES or (
        count >= _WIDE_LINES and severity in (Severity.HIGH, Severity.MEDIUM)
    )
    return places[max(0, place - 1)] if wide else places[place]
