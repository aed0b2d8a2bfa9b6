"""How likely a verdict is right, given that model and baseline agree or not.

Comes in: the baseline's confidence, how far the severities lie apart. Goes out: probabilities.
Promise: pure; each is a logistic curve of few parameters, so that a hundred labelled items fit it;
the packaged parameters are guesses on the careful side until `fit` has replaced them.
Method: Platt scaling (1999) with a Gaussian prior around the defaults, by Newton's steps.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from schemas.vocabulary import Category, Severity

_EDGE = 1e-3
_PRIOR_PRECISION = 2.0
"""How many units of information the defaults are worth: strong against a handful of items."""
_NEWTON_STEPS = 25


@dataclass(frozen=True, slots=True)
class Curve:
    """sigmoid(bias + slope * logit(confidence) + gap * steps between the severities)."""

    bias: float
    slope: float
    gap: float

    def at(self, confidence: float, steps: int) -> float:
        """Return the probability at a baseline confidence, `steps` of severity apart."""
        value = self.bias + self.slope * logit(confidence) + self.gap * abs(steps)
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, value))))


@dataclass(frozen=True, slots=True)
class Calibration:
    """The parameters that `combine` reads; the defaults are not fitted to anything."""

    agreed: Curve = Curve(bias=0.4, slope=0.8, gap=-0.3)
    """The category is right, where both say it."""
    baseline: Curve = Curve(bias=-0.4, slope=0.8, gap=-0.2)
    """The baseline's category is right, where they differ."""
    model: Curve = Curve(bias=-0.4, slope=-0.8, gap=-0.2)
    """The model's category is right, where they differ."""
    follows_up: bool = True
    """Whether a model's higher severity is followed, by one step."""
    follows_down: bool = True
    """Whether a model's lower severity is followed, by one step, where nothing forbids it."""
    abstain_below: float = 0.4
    source: str = "defaults, fitted to nothing"


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled item; `also` are other categories that a reasonable engineer would defend."""

    baseline_category: Category
    baseline_severity: Severity
    baseline_confidence: float
    model_category: Category
    model_severity: Severity
    category: Category
    severity: Severity
    also: frozenset[Category] = field(default=frozenset())

    @property
    def steps(self) -> int:
        """Return how many steps the model's severity lies above the baseline's."""
        return self.model_severity.rank - self.baseline_severity.rank


def logit(confidence: float) -> float:
    """Return the log-odds, bounded."""
    bounded = min(1 - _EDGE, max(_EDGE, confidence))
    return math.log(bounded / (1 - bounded))


def fit_calibration(
    samples: Sequence[Sample], source: str, start: Calibration | None = None
) -> Calibration:
    """Fit all parameters to labelled items; with none, `start` comes back. Strict categories."""
    start = start or Calibration()
    if not samples:
        return start
    agreed = [s for s in samples if s.baseline_category is s.model_category]
    apart = [s for s in samples if s.baseline_category is not s.model_category]
    return replace(
        start,
        agreed=_fit(start.agreed, ((s, s.baseline_category is s.category) for s in agreed)),
        baseline=_fit(start.baseline, ((s, s.baseline_category is s.category) for s in apart)),
        model=_fit(start.model, ((s, s.model_category is s.category) for s in apart)),
        follows_up=_gains(s for s in samples if s.steps > 0),
        follows_down=_gains(s for s in samples if s.steps < 0),
        source=f"{source}, {len(samples)} items",
    )


def _gains(samples: Iterable[Sample]) -> bool:
    """Tell whether a step towards the model's severity brings more hits than it loses."""
    net = 0
    for sample in samples:
        stepped = sample.baseline_severity.rank + (1 if sample.steps > 0 else -1)
        net += (stepped == sample.severity.rank) - (
            sample.baseline_severity.rank == sample.severity.rank
        )
    return net > 0


def _fit(prior: Curve, labelled: Iterable[tuple[Sample, bool]]) -> Curve:
    items = list(labelled)
    centre = np.array([prior.bias, prior.slope, prior.gap])
    if not items:
        return prior
    rows = np.array([[1.0, logit(s.baseline_confidence), float(abs(s.steps))] for s, _ in items])
    hits = np.array([float(is_right) for _, is_right in items])
    weights = centre.copy()
    for _ in range(_NEWTON_STEPS):
        shares = 1.0 / (1.0 + np.exp(-np.clip(rows @ weights, -30, 30)))
        slope = rows.T @ (shares - hits) + _PRIOR_PRECISION * (weights - centre)
        bend = (rows * (shares * (1 - shares))[:, None]).T @ rows + _PRIOR_PRECISION * np.eye(3)
        step = np.linalg.solve(bend, slope)
        weights = weights - step
        if float(np.abs(step).max()) < 1e-9:
            break
    bias, by_confidence, by_gap = (round(float(weight), 4) for weight in weights)
    return Curve(bias, by_confidence, by_gap)
