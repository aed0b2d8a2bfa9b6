"""Whether one judge is better than another on the same items, or only luckier.

Comes in: for each item, whether each judge was right. Goes out: counts of the items on which they
differ, and exact probabilities. Promise: pure; no approximation, so small sets are judged fairly.
Method: McNemar (1947) in its exact, binomial form; the sign test on discordant pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb


@dataclass(frozen=True, slots=True)
class Paired:
    """How two judges differ; items on which both are right or both wrong say nothing."""

    gained: int
    """Items that only the first had right."""
    lost: int
    """Items that only the second had right."""

    @property
    def better(self) -> float:
        """Return how likely so many gains are, or more, if neither is better (one-sided)."""
        return _tail(self.gained, self.gained + self.lost)

    @property
    def worse(self) -> float:
        """Return how likely so many losses are, or more, if neither is better (one-sided)."""
        return _tail(self.lost, self.gained + self.lost)


def pair(first: Sequence[bool], second: Sequence[bool]) -> Paired:
    """Compare two judges; raises ValueError where they did not judge the same items."""
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} items cannot be paired")
    gained = sum(a and not b for a, b in zip(first, second, strict=True))
    lost = sum(b and not a for a, b in zip(first, second, strict=True))
    return Paired(gained, lost)


def _tail(least: int, trials: int) -> float:
    """Return P(X >= least) for X binomial with one half."""
    return float(sum(comb(trials, k) for k in range(least, trials + 1)) / 2**trials)
