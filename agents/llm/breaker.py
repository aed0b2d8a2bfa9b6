"""A circuit breaker: after failures a server is left alone, then one call tries whether it is back.

Comes in: what became of each call, and when. Goes out: whether a call may be made now.
Promise: pure, `now_ms` is an input; while half open at most one call is under way; any answer,
however late, closes it. After Nygard, Release It!, "Circuit Breaker".
"""

from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """Closed: calls are made; open: none; half open: one."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """The right to make one call; what becomes of the call is told with it."""

    era: int
    """Rises each time that the breaker opens: what failed in an earlier era is old news."""
    is_trial: bool


class Breaker:
    """The breaker of one server."""

    def __init__(self, failures: int, open_ms: int) -> None:
        """Open after `failures` in a row, for `open_ms`."""
        self._failures = failures
        self._open_ms = open_ms
        self._in_a_row = 0
        self._era = 0
        self._open_until_ms: int | None = None
        self._trial: Ticket | None = None
        self._answered_ms: int | None = None

    def state(self, now_ms: int) -> BreakerState:
        """Return where the breaker stands."""
        if self._open_until_ms is None:
            return BreakerState.CLOSED
        if self._trial is not None or now_ms >= self._open_until_ms:
            return BreakerState.HALF_OPEN
        return BreakerState.OPEN

    def admit(self, now_ms: int) -> Ticket | None:
        """Return a ticket for one call, or None where no call may be made now."""
        if not self.would_admit(now_ms):
            return None
        if self._open_until_ms is None:
            return Ticket(self._era, is_trial=False)
        self._trial = Ticket(self._era, is_trial=True)
        return self._trial

    def would_admit(self, now_ms: int) -> bool:
        """Tell whether `admit` would give a ticket."""
        state = self.state(now_ms)
        return state is BreakerState.CLOSED or (
            state is BreakerState.HALF_OPEN and self._trial is None
        )

    def allows(self, ticket: Ticket) -> bool:
        """Tell whether the holder of a ticket may call once more."""
        return self._open_until_ms is None or ticket is self._trial

    def answered(self, now_ms: int) -> None:
        """Note that the server answered a call, whatever it said: it is there."""
        self._answered_ms = now_ms
        self._in_a_row = 0
        self._open_until_ms = None
        self._trial = None

    def failed(self, ticket: Ticket, now_ms: int, *, hung_ms: int = 0) -> None:
        """Note a failed call; `hung_ms`: for how long it waited and got nothing.

        Where the server answered nobody in the later half of that time, the breaker opens at once:
        to wait for more such calls would cost each of them its whole time.
        """
        if ticket.is_trial:
            if ticket is self._trial:
                self._open(now_ms)
            return
        if ticket.era != self._era:
            return
        self._in_a_row += 1
        nobody_answered = self._answered_ms is None or now_ms - self._answered_ms >= hung_ms // 2
        if self._in_a_row >= self._failures or (hung_ms > 0 and nobody_answered):
            self._open(now_ms)

    def withdrawn(self, ticket: Ticket) -> None:
        """Note that a call told nothing of the server; a trial may then be made by another."""
        if ticket is self._trial:
            self._trial = None

    def _open(self, now_ms: int) -> None:
        self._era += 1
        self._in_a_row = 0
        self._trial = None
        self._open_until_ms = now_ms + self._open_ms
