"""How many calls at once, in which order, and how many an hour for one service.

Comes in: who wants to call, with how much work behind it. Goes out: turns. Promise: never more at
once than the limit; who has most waiting behind it goes first, and who waits gains on the others,
so nobody waits for ever; memory is bounded.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

HOUR_MS = 3_600_000
ROUNDS_FOR_A_PLACE = 2
"""So many rounds of waiting count like one record more behind it: the longest first keeps the tail
short, and this keeps the others from waiting for all of it."""
KEEP_SECONDS = 0.5
"""How long a turn is kept for who is expected back."""
MAX_SERVICES = 4_096
"""Services whose calls are remembered; the one not heard of for longest is forgotten first."""


@dataclass(slots=True)
class _Waiting:
    """One who waits; `overtaken` counts the turns that others got meanwhile."""

    turn: asyncio.Future[None]
    backlog: int
    overtaken: int = 0


class Turns:
    """A semaphore that knows whose turn is the most urgent, and shrinks when told that it is busy.

    One event at a time is in flight per partition, so the partition with the longest backlog
    decides when all is done: longest processing time first (Graham 1969) keeps that tail short.
    """

    def __init__(self, most: int) -> None:
        """Grant at most `most` turns at once."""
        self._most = most
        self._now = most
        self._taken = 0
        self._given_back = 0
        self._waiting: list[_Waiting] = []
        self._kept: list[asyncio.TimerHandle] = []

    @property
    def at_once(self) -> int:
        """Return how many turns are granted at once now."""
        return self._now

    @property
    def waiting(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def set_most(self, most: int) -> None:
        """Take the server's own word for how much it takes at once."""
        if most != self._most:
            self._most = self._now = most
            self._grant()

    def less(self) -> None:
        """Take one turn fewer from now on: the server said that it is too much."""
        self._now = max(1, min(self._now, self._taken) - 1)
        self._given_back = 0

    def more(self) -> None:
        """Note an answer; after a few in a row, one more is granted again, up to the most."""
        self._given_back += 1
        if self._now < self._most and self._given_back >= max(1, self._now // 4):
            self._given_back = 0
            self._now += 1
            self._grant()

    @asynccontextmanager
    async def turn(self, backlog: int, patience_seconds: float) -> AsyncIterator[None]:
        """Hold one turn; raises TimeoutError when none came within `patience_seconds`."""
        await self._take(backlog, patience_seconds)
        try:
            yield
        finally:
            self._give_back(backlog - 1)

    def release_all(self) -> None:
        """Let everybody who waits go on at once, for there is nothing left to wait for."""
        for one in self._waiting:
            if not one.turn.done():
                one.turn.set_result(None)
                self._taken += 1
        self._waiting.clear()

    def _give_back(self, left: int) -> None:
        """Free a turn; who has more left than any other is waited for, for a moment.

        It comes back with its next record as soon as the broker has the last one. Without this,
        where all calls end at once, the longest partition would miss every second round.
        """
        if self._waiting and left > max(map(self._rank, self._waiting)):
            loop = asyncio.get_running_loop()
            self._kept.append(loop.call_later(KEEP_SECONDS, self._free_kept))
            return
        self._taken -= 1
        self._grant()

    def _free_kept(self) -> None:
        if self._kept:
            self._kept.pop(0).cancel()
            self._taken -= 1
            self._grant()

    def _rank(self, one: _Waiting) -> int:
        return one.backlog + one.overtaken // (ROUNDS_FOR_A_PLACE * self._now)

    async def _take(self, backlog: int, patience_seconds: float) -> None:
        if self._taken < self._now and not self._waiting:
            self._taken += 1
            return
        one = _Waiting(asyncio.get_running_loop().create_future(), backlog)
        self._waiting.append(one)
        self._free_kept()
        try:
            await asyncio.wait_for(asyncio.shield(one.turn), patience_seconds)
        except (TimeoutError, asyncio.CancelledError):
            if one.turn.done():  # granted in the very moment of giving up
                self._taken -= 1
            else:
                one.turn.cancel()
                self._waiting.remove(one)
            self._grant()
            raise

    def _grant(self) -> None:
        while self._waiting and self._taken < self._now:
            first = max(self._waiting, key=self._rank)
            self._waiting.remove(first)
            for other in self._waiting:
                other.overtaken += 1
            self._taken += 1
            first.turn.set_result(None)


class HourlyCap:
    """At most so many calls within any hour, for each service."""

    def __init__(self, calls: int, max_services: int = MAX_SERVICES) -> None:
        """Allow `calls` for each service and hour."""
        self._calls = calls
        self._max_services = max_services
        self._made: OrderedDict[str, deque[int]] = OrderedDict()

    def take(self, service: str, now_ms: int) -> bool:
        """Count one call for `service` and return True, or return False where all are used up."""
        made = self._made.setdefault(service, deque(maxlen=self._calls))
        self._made.move_to_end(service)
        if len(self._made) > self._max_services:
            self._made.popitem(last=False)
        if len(made) == self._calls and now_ms - made[0] < HOUR_MS:
            return False
        made.append(now_ms)
        return True
