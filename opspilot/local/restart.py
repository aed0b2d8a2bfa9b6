"""When a worker that ended is started again, and when one gives up. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RestartPolicy:
    """Exponential back-off with a cap; a worker that ran well for a while starts afresh."""

    first_delay_seconds: float = 0.5
    factor: float = 2.0
    longest_delay_seconds: float = 30.0
    failures_before_giving_up: int = 8
    stable_seconds: float = 60.0

    def delay_seconds(self, failures: int) -> float:
        """Return how long to wait after the given number of failures in a row (1 or more)."""
        # The exponent is bounded, so that no count of failures overflows.
        exponent = min(failures - 1, 64)
        return min(self.longest_delay_seconds, self.first_delay_seconds * self.factor**exponent)

    def gives_up(self, failures: int) -> bool:
        """Say whether that many failures in a row end the attempts."""
        return failures >= self.failures_before_giving_up

    def failures_after(self, failures: int, ready_seconds: float) -> int:
        """Count the end of a run that had been ready for so long."""
        return 1 if ready_seconds >= self.stable_seconds else failures + 1
