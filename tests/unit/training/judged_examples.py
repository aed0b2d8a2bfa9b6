"""Examples and answers for the tests of gate, trial and report."""

from dataclasses import replace
from functools import cache

from agents.logic.judging.classifier import load_classifier
from agents.logic.windows.grading import Grader
from agents.prompt_files import load_prompt
from schemas.vocabulary import Category, Severity
from training.dataset.asking import Labels, make_example
from training.dataset.examples import Example, Split
from training.dataset.incidents import incident_of
from training.evaluation.classification import Said
from training.judged import Entrant, Judged


@cache
def _one() -> Example:
    line = "ERROR could not reach fraud-check at 10.20.3.8:9443: connection refused"
    return make_example(
        incident_of("orders", [line], Grader(load_classifier())),
        Labels(Category.NETWORK, Severity.HIGH, "connection-refused", line),
        load_prompt("classify"),
        split=Split.TEST,
        family="one",
        items=6,
    )


def examples(per_category: int, split: Split = Split.TEST) -> list[Example]:
    """Return as many of each category; they differ in id and label alone."""
    return [
        replace(
            _one(), id=f"{split}-{category}-{n}", split=split, category=category, family=f"f{n}"
        )
        for category in Category
        for n in range(per_category)
    ]


def other_than(category: Category) -> Category:
    order = list(Category)
    return order[(order.index(category) + 1) % len(order)]


def answers(
    items: list[Example],
    wrong: set[str] | None = None,
    *,
    served_wrong: set[str] | None = None,
    unusable: set[str] | None = None,
    latency_ms: float = 100.0,
) -> list[Judged]:
    """Return right answers, but for the ids in `wrong`; what is served is the same by default."""
    wrong, unusable = wrong or set(), unusable or set()
    served_wrong = wrong if served_wrong is None else served_wrong
    judged = []
    for item in items:
        own = other_than(item.category) if item.id in wrong else item.category
        shown = other_than(item.category) if item.id in served_wrong else item.category
        judged.append(
            Judged(
                item.id,
                None if item.id in unusable else own,
                None if item.id in unusable else item.severity,
                Said(shown, item.severity, 0.5 if item.id in served_wrong else 0.95),
                item.id not in unusable,
                latency_ms,
            )
        )
    return judged


def entrant(
    name: str,
    test: list[Example],
    canary: list[Example],
    wrong: set[str] | None = None,
    **how: object,
) -> Entrant:
    baseline = bool(how.pop("is_baseline", False))
    return Entrant(
        name,
        answers(test, wrong, **how),  # type: ignore[arg-type]
        answers(canary, wrong, **how),  # type: ignore[arg-type]
        is_baseline=baseline,
    )
