"""Whether to try a failed call again, and after how long.

Comes in: the error, how often and for how long it has been tried, what time is left. Goes out: a
wait in seconds, or None. Promise: pure; what the server says of its own return is honoured; full
jitter (Brooker, Exponential Backoff And Jitter, AWS 2015), so that many do not return at once.
"""

from agents.llm.errors import OverloadedError, RetryableError, UnreachableError

FIRST_WAIT_SECONDS = 0.25
FIRST_WAIT_BUSY_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 10.0
DEAD_AFTER_SECONDS = 1.0
"""Where nobody answers at all, tries end so soon: a server that is down is no short hiccup."""


def wait_before_retry(
    error: RetryableError, *, tries: int, spent_seconds: float, left_seconds: float, chance: float
) -> float | None:
    """Return the wait after `tries` earlier waits; `chance` is drawn evenly between 0 and 1."""
    if isinstance(error, UnreachableError) and spent_seconds >= DEAD_AFTER_SECONDS:
        return None
    busy = isinstance(error, OverloadedError)
    first = FIRST_WAIT_BUSY_SECONDS if busy else FIRST_WAIT_SECONDS
    jitter = chance * min(LONGEST_WAIT_SECONDS, first * 2**tries)
    told = error.retry_after_seconds if isinstance(error, OverloadedError) else None
    # The jitter comes on top of what the server says, or all would be back in the same moment.
    wait_seconds = max(0.0, told or 0.0) + jitter
    return wait_seconds if wait_seconds < left_seconds else None
