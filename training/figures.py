"""The figures of one entrant on the test split and the canary set.

Comes in: examples and what was said of them. Goes out: Figures: of its own word and of what people
would get. Promise: pure; an answer that cannot be used counts as wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from schemas.vocabulary import Category
from training.dataset.examples import Example
from training.evaluation.classification import Report, Truth, report
from training.judged import Entrant, Judged

UNUSABLE = "none"


@dataclass(frozen=True, slots=True)
class CategoryWord:
    """How one category fared in the judge's own words; None where there is nothing to divide."""

    items: int
    precision: float | None
    recall: float | None
    f1: float


@dataclass(frozen=True, slots=True)
class Figures:
    """All that a report tells of one entrant; shares lie between 0 and 1."""

    name: str
    accuracy: float
    macro_f1: float
    severity_exact: float
    json_valid: float
    categories: dict[Category, CategoryWord]
    confusion: dict[Category, dict[str, int]]
    """Right category to what was said, `none` for an answer that cannot be used."""
    served: Report
    canaries: int
    canaries_served: int
    canary_items: int
    latency_ms: float
    prompt_tokens: float
    completion_tokens: float


def figures_of(entrant: Entrant, test: Sequence[Example], canary: Sequence[Example]) -> Figures:
    """Measure an entrant; raises ValueError where there is nothing to measure."""
    judged = entrant.test
    categories = _categories(judged, test)
    present = [word.f1 for word in categories.values() if word.items]
    truths = [Truth(example.category, example.severity) for example in test]
    pairs = list(zip(judged, test, strict=True))
    birds = list(zip(entrant.canary, canary, strict=True))
    answers = [*judged, *entrant.canary]
    return Figures(
        name=entrant.name,
        accuracy=_share([one.category is item.category for one, item in pairs]),
        macro_f1=sum(present) / len(present),
        severity_exact=_share([one.severity is item.severity for one, item in pairs]),
        json_valid=_share([one.is_json for one in answers]),
        categories=categories,
        confusion=_confusion(judged, test),
        served=report(truths, [one.served for one in judged]),
        canaries=sum(one.category is item.category for one, item in birds),
        canaries_served=sum(one.served.category is item.category for one, item in birds),
        canary_items=len(birds),
        latency_ms=median(one.latency_ms for one in judged),
        prompt_tokens=_mean([one.prompt_tokens for one in judged]),
        completion_tokens=_mean([one.completion_tokens for one in judged]),
    )


def flat(figures: Figures, prefix: str) -> dict[str, float]:
    """Return the main figures by name, for records and cards."""
    return {
        f"{prefix}_accuracy": round(figures.accuracy, 4),
        f"{prefix}_macro_f1": round(figures.macro_f1, 4),
        f"{prefix}_served_accuracy": round(figures.served.strict, 4),
        f"{prefix}_severity_exact": round(figures.severity_exact, 4),
        f"{prefix}_json_valid": round(figures.json_valid, 4),
        f"{prefix}_calibration_error": round(figures.served.calibration_error, 4),
        f"{prefix}_canaries": float(figures.canaries),
        f"{prefix}_latency_ms": round(figures.latency_ms, 1),
        f"{prefix}_completion_tokens": round(figures.completion_tokens, 1),
    }


def _categories(judged: Sequence[Judged], test: Sequence[Example]) -> dict[Category, CategoryWord]:
    found = {}
    for category in Category:
        items = sum(item.category is category for item in test)
        said = sum(one.category is category for one in judged)
        hits = sum(
            one.category is category and item.category is category
            for one, item in zip(judged, test, strict=True)
        )
        found[category] = CategoryWord(
            items,
            hits / said if said else None,
            hits / items if items else None,
            2 * hits / (items + said) if items + said else 0.0,
        )
    return found


def _confusion(judged: Sequence[Judged], test: Sequence[Example]) -> dict[Category, dict[str, int]]:
    names = [*(category.value for category in Category), UNUSABLE]
    table = {category: dict.fromkeys(names, 0) for category in Category}
    for one, item in zip(judged, test, strict=True):
        table[item.category][one.category.value if one.category else UNUSABLE] += 1
    return table


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits) if hits else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
