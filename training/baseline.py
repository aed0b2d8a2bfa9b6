"""Trains the baseline judge: `python -m training.baseline` fits, measures and writes the artefacts.

Comes in: the labelled events of `training/events`. Goes out: `agents/models/baseline.npz` and
`baseline.json`, and cross-validated figures on the terminal.
Promise: the same events give the same bytes; no product stands on both sides of a fold.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold

from agents.logic.judging.classifier import ARRAYS, DESCRIPTION, FORMAT, load_classifier
from agents.logic.judging.severity import severity_of
from schemas.vocabulary import Category, Severity
from training.corpus import Event, digest_of, load_events
from training.evaluation.classification import Said, Truth, report
from training.fitting import BLOCK_WEIGHTS, Fit, Floats, Sample, fit, matrix_of, samples_of

MODELS = Path(__file__).resolve().parent.parent / "agents" / "models"
_FOLDS = 5


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


def fit_other(events: Sequence[Event]) -> tuple[bytes, str]:
    """Fit the model on other events than the committed ones and return its artefact.

    The temperatures stay the committed model's: they were found by leaving products out.
    """
    temperatures = dict(load_classifier().meta["temperatures"])
    return export(fit(samples_of(events)), Validation(temperatures, {}), events)


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
    (MODELS / ARRAYS).write_bytes(arrays)
    (MODELS / DESCRIPTION).write_text(description, encoding="utf-8")
    print(f"wrote {len(arrays) / 1e6:.2f} MB, sha256 {hashlib.sha256(arrays).hexdigest()[:16]}")


if __name__ == "__main__":
    main()
