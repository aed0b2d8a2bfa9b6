"""How near the lines of an incident are to runbooks in meaning, by vectors that a model gave.

Comes in: a vector of each line with its count, a vector of each runbook. Goes out: per runbook by
how many standard deviations the lines stand nearer to it than to runbooks on average.
Promise: pure; a line has the share in it that its count gives it, and at most `MOST` of its own.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]
"""One row each, of length 1."""

NEAR = 3.0
"""From so many deviations on, a runbook that no word speaks for is near an incident."""

LEAD = 0.5
"""By so much it must be nearer than every other, or the meaning does not choose."""

MOST = 4.0
"""What one line may say at most: to choose alone it must be about three quarters of all."""


def unit(rows: Sequence[Sequence[float]]) -> Vectors:
    """Return the rows at length 1; raises ValueError where they are no vectors of one length."""
    found = np.asarray(rows, dtype=float)
    if found.ndim != 2 or not found.shape[1] or not np.isfinite(found).all():
        raise ValueError("the vectors are not finite numbers, or not equally many in each")
    with np.errstate(over="ignore"):  # what overflows is refused below
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise ValueError("a vector has no direction")
    return np.asarray(found / lengths)


def closeness(
    lines: Vectors, counts: Sequence[int], names: Sequence[str], runbooks: Vectors
) -> dict[str, float]:
    """Return how near all lines together are to each runbook.

    A cosine means something else in every model, so each line is measured by its own mean and
    deviation over all runbooks: what is left is by how much a runbook stands out.
    """
    cosines = lines @ runbooks.T
    spread = cosines.std(axis=1, keepdims=True)
    # Equal cosines differ by rounding alone, and nothing stands out of them.
    scores = np.where(spread > 1e-9, cosines - cosines.mean(axis=1, keepdims=True), 0.0)
    scores = scores / np.maximum(spread, 1e-9)
    # The whole row shrinks, so that what leads still leads by its share.
    scores *= np.minimum(1.0, MOST / np.maximum(scores.max(axis=1, keepdims=True), 1e-9))
    means = np.average(scores, axis=0, weights=np.asarray(counts, dtype=float))
    return {name: round(float(mean), 6) for name, mean in zip(names, means, strict=True)}


def nearest(by_runbook: Mapping[str, float]) -> str | None:
    """Return the runbook that stands out before all others, if one does."""
    ranked = sorted(by_runbook.items(), key=lambda item: (-item[1], item[0]))
    if not ranked or ranked[0][1] < NEAR:
        return None
    if len(ranked) > 1 and ranked[0][1] - ranked[1][1] < LEAD:
        return None
    return ranked[0][0]
