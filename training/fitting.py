"""Fits the linear judge: events in views, their features, four heads by logistic regression.

Comes in: labelled events. Goes out: a Fit, whose columns are categories, problem, severities and
subcategories. Promise: the same events give the same fit; what only one product says is no feature.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression

from agents.logic.judging.features import BLOCKS, Features, features_of
from schemas.vocabulary import Category, Severity
from streams.shape.shaper import Shaper
from training.augment import views_of
from training.corpus import Event

BLOCK_WEIGHTS = {"words": 1.4, "characters": 0.7, "classes": 0.8, "pairs": 0.7}
_LEAST_PRODUCTS = {"w": 2, "b": 2, "c": 3, "k": 1, "l": 1, "s": 1, "p": 3}
_LEAST_EVENTS = {"w": 2, "b": 3, "c": 4, "k": 1, "l": 1, "s": 1, "p": 4}
_LEAST_PER_SUBCATEGORY = 6
_STRENGTH = {"category": 4.0, "problem": 4.0, "severity": 2.0, "subcategory": 8.0}
"""Inverse of the L2 penalty, chosen by cross-validation."""

_GRADE_WEIGHTS = (2.5, 1.2, 1.0, 2.0)
"""From critical to low: the ends are rare in what people write down, and dear to miss."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """One view of an event as features; the views of an event share a weight of 1."""

    event: Event
    features: Features
    weight: float


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model before export: columns are categories, problem, severities, subcategories."""

    names: list[str]
    rarity: Floats
    matrix: Floats
    bias: Floats
    subcategories: list[tuple[Category, str]]


def samples_of(events: Sequence[Event]) -> list[Sample]:
    """Return the training samples of all events, in their order."""
    shaper = Shaper()
    samples = []
    for event in events:
        views = views_of(event, shaper.line(event.line.encode()))
        samples += [
            Sample(event, features_of(view.text, view.level, view.service), 1 / len(views))
            for view in views
        ]
    return samples


def vocabulary_of(samples: Sequence[Sample]) -> tuple[list[str], Floats]:
    """Return the features that more than one product shows, sorted, and their rarity (smooth idf).

    What only one product says would teach its name instead of a meaning.
    """
    products: dict[str, set[str]] = defaultdict(set)
    events: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        for block in sample.features:
            for name in block:
                products[name].add(sample.event.product)
                events[name].add(sample.event.line)
    names = sorted(
        name
        for name in products
        if len(products[name]) >= _LEAST_PRODUCTS[name[0]]
        and len(events[name]) >= _LEAST_EVENTS[name[0]]
    )
    total = len({sample.event.line for sample in samples})
    counts = np.array([len(events[name]) for name in names])
    return names, np.log((1 + total) / (1 + counts)) + 1


def matrix_of(samples: Sequence[Sample], names: Sequence[str], rarity: Floats) -> csr_matrix:
    """Return the samples as rows, each block scaled as the run time scales it."""
    column = {name: place for place, name in enumerate(names)}
    data: list[Floats] = []
    indices: list[list[int]] = []
    ends = [0]
    for sample in samples:
        length = 0
        for block, name in zip(sample.features, BLOCKS, strict=True):
            known = [place for place in map(column.get, block) if place is not None]
            if known:
                value = rarity[known]
                data.append(value * (BLOCK_WEIGHTS[name] / np.sqrt(value @ value)))
                indices.append(known)
                length += len(known)
        ends.append(ends[-1] + length)
    flat = np.concatenate([np.asarray(part, dtype=np.int64) for part in indices])
    return csr_matrix((np.concatenate(data), flat, ends), shape=(len(samples), len(names)))


def fit(samples: Sequence[Sample], *, with_subcategories: bool = True) -> Fit:
    """Fit the four heads by L2 logistic regression on one vocabulary."""
    names, rarity = vocabulary_of(samples)
    rows = matrix_of(samples, names, rarity)
    weights = np.array([sample.weight for sample in samples])
    bad = np.array([sample.event.category is not None for sample in samples])
    of_bad = [sample.event for sample in samples if sample.event.category is not None]
    problem = _regress(rows, bad.astype(int), weights, "problem")
    categories = [list(Category).index(event.category) for event in of_bad]  # type: ignore[arg-type]
    grades = [list(Severity).index(event.severity) for event in of_bad]  # type: ignore[arg-type]
    heads = [
        _regress(rows[bad], np.array(categories), weights[bad], "category"),
        problem,
        _regress(rows[bad], np.array(grades), weights[bad], "severity"),
    ]
    subcategories: list[tuple[Category, str]] = []
    if with_subcategories:
        subcategories = _subcategories(of_bad)
        place: dict[tuple[Category | None, str], int] = {
            pair: number for number, pair in enumerate(subcategories)
        }
        target = np.array([place.get((event.category, event.subcategory), -1) for event in of_bad])
        known = target >= 0
        heads.append(_regress(rows[bad][known], target[known], weights[bad][known], "subcategory"))
    return Fit(
        names,
        rarity,
        np.vstack([coefficients for coefficients, _ in heads]).T,
        np.concatenate([bias for _, bias in heads]),
        subcategories,
    )


def _regress(
    rows: csr_matrix, target: npt.NDArray[np.int64], weights: Floats, head: str
) -> tuple[Floats, Floats]:
    """Return one head's coefficients (a row per class) and biases."""
    if head == "severity":
        weights = weights * np.array(_GRADE_WEIGHTS)[target]
    model = LogisticRegression(C=_STRENGTH[head], max_iter=400, tol=1e-4)
    model.fit(rows, target, sample_weight=weights)
    return model.coef_, model.intercept_


def _subcategories(events: Sequence[Event]) -> list[tuple[Category, str]]:
    """Return the subcategories with enough events to learn; the rest take their nearest."""
    lines: dict[tuple[Category, str], set[str]] = defaultdict(set)
    for event in events:
        if event.category is not None and event.subcategory:
            lines[event.category, event.subcategory].add(event.line)
    return sorted(pair for pair, found in lines.items() if len(found) >= _LEAST_PER_SUBCATEGORY)
