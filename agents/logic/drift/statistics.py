"""The few statistics of drift: intervals of shares and of their differences, shift of shares.

Comes in: counts. Goes out: numbers. Promise: defined for every count, zero included.
"""

import math
from collections.abc import Mapping

Z_95 = 1.959964
"""Normal quantile of a two-sided interval of 95 %."""


def wilson_interval(hits: int, total: int, z: float = Z_95) -> tuple[float, float]:
    """Return the score interval of a share (Wilson 1927); (0, 1) where nothing was seen."""
    if total <= 0:
        return 0.0, 1.0
    share = hits / total
    scale = 1 + z * z / total
    middle = (share + z * z / (2 * total)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def difference_interval(
    hits: int, total: int, other_hits: int, other_total: int, z: float
) -> tuple[float, float]:
    """Return the interval of one share less another (Newcombe 1998, method 10)."""
    low, high = wilson_interval(hits, total, z)
    other_low, other_high = wilson_interval(other_hits, other_total, z)
    share = hits / total if total else 0.5
    other = other_hits / other_total if other_total else 0.5
    gap = share - other
    return (
        gap - math.hypot(share - low, other_high - other),
        gap + math.hypot(high - share, other - other_low),
    )


def population_stability(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    """Return the population stability index of two distributions; 0 where either is empty.

    Half a count is added to each class, so that a class that is new or gone does not make it
    infinite. Below 0.1 is usually read as stable, above 0.25 as shifted.
    """
    classes = sorted(before.keys() | now.keys())
    before_total, now_total = sum(before.values()), sum(now.values())
    if not before_total or not now_total:
        return 0.0
    index = 0.0
    for name in classes:
        old = (before.get(name, 0) + 0.5) / (before_total + 0.5 * len(classes))
        new = (now.get(name, 0) + 0.5) / (now_total + 0.5 * len(classes))
        index += (new - old) * math.log(new / old)
    return index
