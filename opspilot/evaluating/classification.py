"""Measures category, severity and confidence, of a model where one is asked, beside the baseline.

Comes in: labelled items, a judgement with a model or none. Goes out: figures. Promise: the baseline
judges as `opspilot judge` does; a model is asked through the call path of the stages.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from agents.judgement import Judgement
from agents.logic.inspection import Inspector
from opspilot.evaluating.figures import Figures, number
from opspilot.evaluating.incidents import IncidentMaker
from opspilot.evaluating.servers import ask_in_turns
from schemas.vocabulary import Category, Severity
from training.evaluation.classification import Report, Said, report
from training.evaluation.items import Item

_MEASURES = {
    "category, strict": "strict",
    "category, lenient (`also` counts)": "lenient",
    "category, macro-F1": "macro_f1",
    "severity, exact": "severity_exact",
    "severity, within one": "severity_within_one",
    "severity, quadratic kappa": "severity_kappa",
    "calibration error, 5 bins": "calibration_error",
    "its lower bound (bootstrap, 5 %)": "calibration_error_lower",
    "its upper bound (bootstrap, 95 %)": "calibration_error_upper",
    "abstained": "abstained",
    "strict where not abstained": "strict_when_answered",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """What one judge said of all items, how long each took, and what it cost."""

    name: str
    said: list[Said]
    latency_ms: list[float]
    tokens: int = 0
    fell_back: int = 0
    alone: list[Category | None] | None = None
    """What a model itself named, before the cross-check with the baseline."""


def classification_figures(
    items: Sequence[Item],
    inspector: Inspector,
    judgement: Judgement | None,
    said: Mapping[str, Category] | None = None,
) -> list[Figures]:
    """Judge all items; the model's column, if any, stands first, the constant answer last.

    `said` is what the model itself names, by incident id, once it was asked.
    """
    judges = [by_baseline(items, inspector)]
    if judgement is not None:
        judges.insert(0, asyncio.run(by_model(items, judgement, {} if said is None else said)))
    truths = [item.truth for item in items]
    reports = [report(truths, judged.said) for judged in judges]
    constant = report(truths, constant_answer(items))
    rows = [
        (label, *(number(getattr(one, name)) for one in (*reports, constant)))
        for label, name in _MEASURES.items()
    ]
    if judgement is not None:
        rows.insert(
            1, ("category, strict, by its own word", *(_alone(one, items) for one in judges), "-")
        )
    for label, share in (("latency, p50 (ms)", 50), ("latency, p95 (ms)", 95)):
        rows.append(
            (label, *(f"{np.percentile(judged.latency_ms, share):.1f}" for judged in judges), "-")
        )
    count = len(items)
    rows.append(("tokens per item", *(f"{judged.tokens / count:.0f}" for judged in judges), "-"))
    rows.append(("fell back to the baseline", *(str(judged.fell_back) for judged in judges), "-"))
    names = tuple(judged.name for judged in judges)
    main = Figures(f"{count} items", ("", *names, "constant answer"), tuple(rows))
    return [main, *map(per_category, names, reports)]


def by_baseline(items: Sequence[Item], inspector: Inspector) -> Judged:
    """Judge by the embedded classifier."""
    said, latency_ms = [], []
    for item in items:
        started = perf_counter()
        verdict = inspector.inspect(item.service, item.lines).verdict
        latency_ms.append((perf_counter() - started) * 1000)
        said.append(Said(verdict.category, verdict.severity, verdict.confidence, verdict.abstained))
    return Judged("baseline", said, latency_ms)


async def by_model(
    items: Sequence[Item], judgement: Judgement, said: Mapping[str, Category]
) -> Judged:
    """Ask the model about all items, a few at once."""
    maker = IncidentMaker(judgement.classifier)
    incidents = [maker.make(item.service, item.lines) for item in items]
    records = await ask_in_turns(incidents, judgement.classify, judgement)
    answered = [record.judge for record in records if record.judge.fallback_reason is None]
    name = Counter(judge.model for judge in answered).most_common(1)
    return Judged(
        name=name[0][0] if name else "no model answered",
        said=[Said(r.category, r.severity, r.confidence, r.abstained) for r in records],
        latency_ms=[record.judge.latency_ms for record in records],
        tokens=sum(record.judge.tokens for record in records),
        fell_back=len(records) - len(answered),
        alone=[said.get(incident.id) for incident in incidents],
    )


def _alone(judged: Judged, items: Sequence[Item]) -> str:
    if judged.alone is None:
        return "-"
    right = sum(said is item.truth.category for said, item in zip(judged.alone, items, strict=True))
    return number(right / len(items))


def constant_answer(items: Sequence[Item]) -> list[Said]:
    """Return what a judge says that reads nothing: the commonest category, always medium."""
    (category, count), *_ = Counter(item.truth.category for item in items).most_common(1)
    return [Said(category, Severity.MEDIUM, count / len(items))] * len(items)


def per_category(name: str, judged: Report) -> Figures:
    """Return precision, recall and F1 of each category."""
    rows = []
    for category in Category:
        one = judged.per_category[category]
        rows.append(
            (category.value, str(one.items), number(one.precision), number(one.recall),
             number(one.f1))
        )  # fmt: skip
    return Figures(name, ("category", "items", "precision", "recall", "F1"), tuple(rows))
