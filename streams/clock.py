"""The only place that asks the machine for the time; everything else takes it as an argument.

Goes out: wall time and monotonic time in milliseconds, and a watch that tells a process that it was
frozen. Promise: a process that stood still for too long ends before it writes anything stale.
"""

import os
import sys
import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now_ms() -> int:
    """Return wall time in milliseconds since 1970 in UTC."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """Return milliseconds that never go back, and go on while process or machine sleep."""
    return time.clock_gettime_ns(_CLOCK) // 1_000_000


class FreezeWatch:
    """Ends the process when its event loop has stood still for longer than `limit_ms`.

    A worker that was stopped past its session timeout has lost its partitions; what it would write
    next would overwrite its successor's state. `tick` is called often by the loop, `check` right
    before each table write and each send.
    """

    EXIT_STATUS = 75

    def __init__(self, limit_ms: int) -> None:
        self._limit_ms = limit_ms
        self._last_tick_ms: int | None = None

    def tick(self) -> None:
        """Say that the loop is alive; ends the process if it was not for too long."""
        self.check()
        self._last_tick_ms = monotonic_ms()

    def check(self) -> None:
        """End the process at once if the loop has not ticked within the limit."""
        if self._last_tick_ms is None:
            return
        gap_ms = monotonic_ms() - self._last_tick_ms
        if gap_ms > self._limit_ms:
            sys.stderr.write(
                f"this process stood still for {gap_ms} ms (limit {self._limit_ms} ms): "
                "its partitions may have a new owner, so it ends here\n"
            )
            sys.stderr.flush()
            os._exit(self.EXIT_STATUS)
