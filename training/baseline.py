"""Trains the baseline judge: `python -m training.baseline` fits, measures and writes the artefacts.

Comes in: the labelled events of `training/events`. Goes out: `agents/models/baseline.npz` and
`baseline.json`, and cross-validated figures on the terminal.
Promise: the same events give the same bytes; no product stands on both sides of a fold.
"""

import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from agents.logic.judging.classifier import FORMAT
from agents.logic.judging.features import BLOCKS, Features, features_of
from agents.logic.judging.severity import severity_of
from schemas.vocabulary import Category, Severity
from streams.shape.shaper import Shaper
from training.augment import views_of
from training.corpus import Event, digest_of, load_events
from training.evaluation.classification import Said, Truth, report

MODELS = Path(__file__).resolve().parent.parent / "agents" / "models"
BLOCK_WEIGHTS = {"words": 1.4, "characters": 0.7, "classes": 0.8, "pairs": 0.7}
_LEAST_PRODUCTS = {"w": 2, "b": 2, "c": 3, "k": 1, "l": 1, "s": 1, "p": 3}
_LEAST_EVENTS = {"w": 2, "b": 3, "c": 4, "k": 1, "l": 1, "s": 1, "p": 4}
_FOLDS = 5
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
        if event.category is not None:
            lines[event.category, event.subcategory].add(event.line)
    return sorted(pair for pair, found in lines.items() if len(found) >= _LEAST_PER_SUBCATEGORY)


def cross_validate(samples: Sequence[Sample]) -> tuple[Floats, list[int]]:
    """Return each bare sample's scores from a model that never saw its product, and its place."""
    groups = [sample.event.product for sample in samples]
    scores = np.zeros((len(samples), len(Category) + 1 + len(Severity)))
    for train, test in GroupKFold(n_splits=_FOLDS).split(samples, groups=groups):
        model = fit([samples[i] for i in train], with_subcategories=False)
        rows = matrix_of([samples[i] for i in test], model.names, model.rarity)
        scores[test] = rows @ model.matrix + model.bias
    return scores, list(range(len(samples)))


def temperature(scores: Floats, target: npt.NDArray[np.int64], weights: Floats) -> float:
    """Return the temperature that fits held-out scores best by likelihood (Guo et al. 2017)."""
    best, least = 1.0, np.inf
    for candidate in np.exp(np.linspace(np.log(0.3), np.log(4.0), 120)):
        scaled = scores / candidate
        top = scaled.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(scaled - top).sum(axis=1)) + top[:, 0]
        loss = float((weights * (log_sum - scaled[np.arange(len(target)), target])).sum())
        if loss < least:
            best, least = float(candidate), loss
    return round(best, 4)


@dataclass(frozen=True, slots=True)
class Validation:
    """What cross-validation by product says: temperatures to use, and figures to print."""

    temperatures: dict[str, float]
    figures: dict[str, float]


def validate(samples: Sequence[Sample]) -> Validation:
    """Cross-validate by product, choose the temperatures and measure with them."""
    scores, _ = cross_validate(samples)
    weights = np.array([sample.weight for sample in samples])
    bad = np.array([sample.event.category is not None for sample in samples])
    events = [sample.event for sample in samples if sample.event.category is not None]
    count = len(Category)
    by_category, by_severity = scores[bad][:, :count], scores[bad][:, count + 1 :]
    problem = scores[:, count]
    categories = np.array([list(Category).index(e.category) for e in events])  # type: ignore[arg-type]
    grades = np.array([list(Severity).index(e.severity) for e in events])  # type: ignore[arg-type]
    temperatures = {
        "category": temperature(by_category, categories, weights[bad]),
        "severity": temperature(by_severity, grades, weights[bad]),
        "problem": temperature(
            np.stack([np.zeros_like(problem), problem], axis=1), bad.astype(int), weights
        ),
    }
    shares = np.exp(by_category / temperatures["category"])
    shares /= shares.sum(axis=1, keepdims=True)
    truths = [Truth(e.category, e.severity) for e in events]  # type: ignore[arg-type]
    graded = np.exp(by_severity / temperatures["severity"])
    graded /= graded.sum(axis=1, keepdims=True)
    said = [
        Said(
            list(Category)[int(row.argmax())],
            severity_of(dict(zip(Severity, map(float, grade), strict=True))),
            float(row.max()),
        )
        for row, grade in zip(shares, graded, strict=True)
    ]
    measured = report(truths, said)
    return Validation(
        temperatures,
        {
            "strict": measured.strict,
            "macro_f1": measured.macro_f1,
            "severity_exact": measured.severity_exact,
            "severity_kappa": measured.severity_kappa,
            "calibration_error": measured.calibration_error,
            "problem_recall": float((problem[bad] > 0).mean()),
            "routine_recall": float((problem[~bad] <= 0).mean()),
        },
    )


def export(model: Fit, validation: Validation, events: Sequence[Event]) -> tuple[bytes, str]:
    """Return the artefact as the bytes of its arrays and the text of its description.

    Weights become 8-bit integers with one scale a column: an eighth of the size, and small
    differences between machines in the last bits of a sum do not show.
    """
    scale = np.abs(model.matrix).max(axis=0) / 127
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        vocabulary=np.frombuffer("\n".join(model.names).encode("utf-8"), dtype=np.uint8),
        rarity=model.rarity.astype(np.float16),
        matrix=np.round(model.matrix / scale).astype(np.int8),
        scale=scale.astype(np.float32),
        bias=np.round(model.bias, 4).astype(np.float32),
    )
    meta: dict[str, Any] = {
        "format": FORMAT,
        "events": len(events),
        "events_sha256": digest_of(events),
        "features": len(model.names),
        "block_weights": BLOCK_WEIGHTS,
        "categories": list(Category),
        "severities": list(Severity),
        "subcategories": model.subcategories,
        "temperatures": validation.temperatures,
        "cross_validation": {k: round(v, 4) for k, v in validation.figures.items()},
    }
    return buffer.getvalue(), json.dumps(meta, indent=1) + "\n"


def main() -> None:
    """Train on the committed events, print the figures, write the artefacts."""
    events = load_events()
    print(f"{len(events)} events of {len({e.product for e in events})} products", flush=True)
    samples = samples_of(events)
    validation = validate(samples)
    for name, value in validation.figures.items():
        print(f"  {name:18} {value:.3f}   (5 folds, no product on both sides)", flush=True)
    arrays, description = export(fit(samples), validation, events)
    MODELS.mkdir(exist_ok=True)
    (MODELS / "baseline.npz").write_bytes(arrays)
    (MODELS / "baseline.json").write_text(description, encoding="utf-8")
    print(f"wrote {len(arrays) / 1e6:.2f} MB, sha256 {hashlib.sha256(arrays).hexdigest()[:16]}")


if __name__ == "__main__":
    main()
