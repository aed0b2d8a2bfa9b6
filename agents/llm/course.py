"""One question under way: its time, its tries, what it has cost so far.

Comes in: when it began and how long it may take. Goes out: the time left, the wait before another
try. Promise: pure; the clock is an input.
"""

from dataclasses import dataclass

from agents.llm.breaker import Ticket
from agents.llm.errors import RetryableError, TimedOutError
from agents.llm.retries import wait_before_retry

LEAST_SECONDS = 0.5
"""A call with less time than this left would only be cut off."""


@dataclass(slots=True)
class Course:
    """The state of one question; `waits` is how often it was tried again."""

    stage: str
    service: str
    ticket: Ticket
    begun_ms: int
    deadline_ms: int
    tries_left: int
    tokens: int = 0
    calls: int = 0
    waits: int = 0

    def left_seconds(self, now_ms: int) -> float:
        """Return the time left; raises TimedOutError where it is too little for a call."""
        left = (self.deadline_ms - now_ms) / 1000
        if left < LEAST_SECONDS:
            raise TimedOutError(f"{left:.1f} s of the question's time are left")
        return left

    def next_wait(self, error: RetryableError, now_ms: int, chance: float) -> float | None:
        """Return how long to wait before another try, or None where there is none."""
        if self.tries_left <= 0:
            return None
        return wait_before_retry(
            error,
            tries=self.waits,
            spent_seconds=(now_ms - self.begun_ms) / 1000,
            left_seconds=(self.deadline_ms - now_ms) / 1000 - LEAST_SECONDS,
            chance=chance,
        )
