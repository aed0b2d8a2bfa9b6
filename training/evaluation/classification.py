"""Measures of a judge of incidents, as pure functions of what was expected and what was said.

Comes in: labelled items and verdicts, in the same order. Goes out: figures and reports.
Promise: no figure is made up where there is nothing to measure: it is None then.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from schemas.vocabulary import Category, Severity

_SEED = 20_260_301
_BOOTSTRAP_DRAWS = 1_000
_BINS = 5


@dataclass(frozen=True, slots=True)
class Truth:
    """What an item is; `also` are other categories that a reader would defend."""

    category: Category
    severity: Severity
    also: frozenset[Category] = frozenset()


@dataclass(frozen=True, slots=True)
class Said:
    """What a judge said of it."""

    category: Category
    severity: Severity
    confidence: float
    abstained: bool = False


@dataclass(frozen=True, slots=True)
class CategoryFigures:
    """How one category fared; None where it never occurred or was never said."""

    items: int
    precision: float | None
    recall: float | None
    f1: float


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of one judge on one set of items; shares between 0 and 1."""

    items: int
    strict: float
    lenient: float
    macro_f1: float
    per_category: dict[Category, CategoryFigures]
    severity_exact: float
    severity_within_one: float
    severity_kappa: float
    calibration_error: float
    calibration_error_lower: float
    calibration_error_upper: float
    abstained: float
    strict_when_answered: float | None


def report(truths: Sequence[Truth], said: Sequence[Said]) -> Report:
    """Return all figures; raises ValueError when there is nothing to measure or lengths differ."""
    if not truths or len(truths) != len(said):
        raise ValueError(f"{len(truths)} items and {len(said)} verdicts cannot be compared")
    pairs = list(zip(truths, said, strict=True))
    right = [s.category is t.category for t, s in pairs]
    per_category = category_figures(truths, said)
    present = [figures.f1 for figures in per_category.values() if figures.items]
    expected = [t.severity.rank for t in truths]
    graded = [s.severity.rank for s in said]
    low, high = calibration_interval([s.confidence for s in said], right)
    answered = [ok for ok, s in zip(right, said, strict=True) if not s.abstained]
    return Report(
        items=len(pairs),
        strict=sum(right) / len(pairs),
        lenient=sum(s.category is t.category or s.category in t.also for t, s in pairs)
        / len(pairs),
        macro_f1=sum(present) / len(present),
        per_category=per_category,
        severity_exact=sum(a == b for a, b in zip(expected, graded, strict=True)) / len(pairs),
        severity_within_one=sum(abs(a - b) <= 1 for a, b in zip(expected, graded, strict=True))
        / len(pairs),
        severity_kappa=quadratic_kappa(expected, graded, len(Severity)),
        calibration_error=calibration_error([s.confidence for s in said], right),
        calibration_error_lower=low,
        calibration_error_upper=high,
        abstained=1 - len(answered) / len(pairs),
        strict_when_answered=sum(answered) / len(answered) if answered else None,
    )


def category_figures(
    truths: Sequence[Truth], said: Sequence[Said]
) -> dict[Category, CategoryFigures]:
    """Return precision, recall and F1 of each category, strictly counted."""
    expected = Counter(t.category for t in truths)
    given = Counter(s.category for s in said)
    hits = Counter(
        t.category for t, s in zip(truths, said, strict=True) if t.category is s.category
    )
    return {
        category: CategoryFigures(
            items=expected[category],
            precision=hits[category] / given[category] if given[category] else None,
            recall=hits[category] / expected[category] if expected[category] else None,
            f1=2 * hits[category] / (expected[category] + given[category])
            if expected[category] + given[category]
            else 0.0,
        )
        for category in Category
    }


def quadratic_kappa(expected: Sequence[int], given: Sequence[int], grades: int) -> float:
    """Return Cohen's kappa with squared distances (Cohen 1968): 1 is agreement, 0 is chance.

    Two constant and equal judges agree by chance alone, so that counts as 0.
    """
    table = np.zeros((grades, grades))
    for a, b in zip(expected, given, strict=True):
        table[a, b] += 1
    table /= table.sum()
    distance = np.subtract.outer(np.arange(grades), np.arange(grades)) ** 2
    by_chance = float((distance * np.outer(table.sum(axis=1), table.sum(axis=0))).sum())
    return 1 - float((distance * table).sum()) / by_chance if by_chance else 0.0


def _bins(confidences: Sequence[float], right: Sequence[bool]) -> list[tuple[float, float, float]]:
    """Return share of the items, mean confidence and share of right ones of bins of equal mass."""
    order = np.argsort(np.asarray(confidences), kind="stable")
    stated, true = np.asarray(confidences)[order], np.asarray(right, dtype=float)[order]
    bins = [part for part in np.array_split(np.arange(len(order)), _BINS) if len(part)]
    return [
        (len(part) / len(order), float(stated[part].mean()), float(true[part].mean()))
        for part in bins
    ]


def calibration_error(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """Return the expected calibration error over five bins of equal mass (Nixon et al. 2019)."""
    return float(
        sum(share * abs(stated - true) for share, stated, true in _bins(confidences, right))
    )


def overconfidence(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """Return how much more than it holds a judge claims: only bins that promise too much count."""
    return float(
        sum(share * max(0.0, stated - true) for share, stated, true in _bins(confidences, right))
    )


def calibration_interval(
    confidences: Sequence[float],
    right: Sequence[bool],
    *,
    share: float = 0.9,
    measure: Callable[[Sequence[float], Sequence[bool]], float] = calibration_error,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a `measure` of calibration (Efron 1979).

    It holds `share` of the draws. The error of a sample is biased upwards, more so in a redrawn
    one, so the lower end is a cautious one.
    """
    stated, true = np.asarray(confidences, dtype=float), np.asarray(right, dtype=bool)
    chance = np.random.default_rng(_SEED)
    draws = []
    for _ in range(_BOOTSTRAP_DRAWS):
        index = chance.integers(0, len(stated), len(stated))
        draws.append(measure(list(stated[index]), list(true[index])))
    tail = (1 - share) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)
