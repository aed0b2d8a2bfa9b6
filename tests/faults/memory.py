"""The memory of processes over time, and whether it grows.

Comes in: process ids by name. Goes out: resident MiB of each, sampled while it runs, and a straight
line through the samples after the warm-up (least squares), as MiB per hour.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Growth:
    """Of one process; the processes' start and warm-up are left out."""

    name: str
    pids: int
    """More than one: it was started again, and the figures are the last one's."""
    first_mib: float
    last_mib: float
    most_mib: float
    slope_mib_per_hour: float


@dataclass
class Memory:
    """Samples of several processes."""

    samples: dict[str, list[tuple[float, int, float]]] = field(default_factory=dict)
    """By name: seconds on the monotonic clock, process id, MiB."""

    def sample(self, pids: Mapping[str, int]) -> None:
        """Take one sample of each; a process that has just ended has none."""
        for name, pid in pids.items():
            try:
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            except (OSError, IndexError):
                continue
            row = time.monotonic(), pid, pages * PAGE_BYTES / MIB
            self.samples.setdefault(name, []).append(row)

    def growth(self, name: str, warm_up_share: float) -> Growth:
        """Return how the memory of one process went on after the first share of its samples."""
        rows = self.samples[name]
        pid = rows[-1][1]
        kept = [(seconds, mib) for seconds, its_pid, mib in rows if its_pid == pid]
        kept = kept[int(len(kept) * warm_up_share) :]
        return Growth(
            name,
            len({its_pid for _, its_pid, _ in rows}),
            kept[0][1],
            kept[-1][1],
            max(mib for _, mib in kept),
            slope(kept) * 3_600,
        )


def slope(points: list[tuple[float, float]]) -> float:
    """Return the slope of the least-squares line; 0 where one point or moment is all there is."""
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    if spread == 0:
        return 0.0
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread
