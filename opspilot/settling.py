"""Waits until a pipeline has done all that its input calls for, and says how far it is.

Comes in: a stack whose input has ended. Goes out: the balance and the results. Promise: what is
waited for is exact, never a pause: every line digested, every digest applied after the end of
input was said, every finding, revision and verdict worked on; a wait that ends names what is stuck.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiokafka import TopicPartition
from pydantic import ValidationError

from agents.logic.accounting import Balance
from opspilot.accounting import LedgerReader
from opspilot.reading import GroupOffsets, TopicReader, lag
from opspilot.results import Results, ResultsReader
from schemas.digest import Progress
from schemas.topics import CLASSIFICATIONS, FINDINGS, INCIDENTS, LOGS_DIGESTS, Topic
from streams.clock import monotonic_ms
from streams.errors import OpsPilotError
from streams.settings import Settings

POLL_SECONDS = 0.5
DOWNSTREAM: tuple[tuple[str, Topic], ...] = (
    ("correlate", FINDINGS),
    ("classify", INCIDENTS),
    ("recommend", CLASSIFICATIONS),
)


@dataclass(frozen=True, slots=True)
class Settled:
    """What there is when all is done."""

    balance: Balance
    results: Results


@dataclass(frozen=True, slots=True)
class Step:
    """How far it is: what is being waited for, and how much was done."""

    waiting_for: str
    lines: int = 0
    windowed: int = 0
    incidents: int = 0


async def settle(
    settings: Settings,
    timeout_seconds: float,
    report: Callable[[Step], None],
    check: Callable[[], None],
) -> Settled:
    """Wait until all is done.

    `report` hears of each step; `check` may raise, as when a process was given up. OpsPilotError
    names what is still missing after `timeout_seconds` without any progress.
    """
    async with (
        LedgerReader(settings) as ledger,
        ResultsReader(settings) as results,
        TopicReader(settings.kafka, (settings.topics.name(LOGS_DIGESTS),)) as digests,
        TopicReader(
            settings.kafka, (), ends_only=[settings.topics.name(t) for _s, t in DOWNSTREAM]
        ) as ends,
        GroupOffsets(settings.kafka) as groups,
    ):
        watch = _Watch(settings, ledger, results, digests, ends, groups)
        patience = _Patience(timeout_seconds)
        while True:
            check()
            step = await watch.look()
            if step is None:
                return Settled(watch.balance, results.results)
            report(step)
            patience.check(step)
            await asyncio.sleep(POLL_SECONDS)


class _Patience:
    """Ends a wait in which nothing moves any more."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_ms = int(timeout_seconds * 1000)
        self._last: Step | None = None
        self._since_ms = monotonic_ms()

    def check(self, step: Step) -> None:
        now = monotonic_ms()
        if step != self._last:
            self._last, self._since_ms = step, now
        elif now - self._since_ms > self._timeout_ms:
            raise OpsPilotError(
                f"nothing moved for {self._timeout_ms // 1000} s while waiting for "
                f"{step.waiting_for}: the processes' logs say why"
            )


class _Watch:
    """Looks at ledger, progress, groups and results, in the order of the flow."""

    def __init__(
        self,
        settings: Settings,
        ledger: LedgerReader,
        results: ResultsReader,
        digests: TopicReader,
        ends: TopicReader,
        groups: GroupOffsets,
    ) -> None:
        self.balance = Balance()
        self._settings = settings
        self._ledger = ledger
        self._results = results
        self._digests = digests
        self._ends = ends
        self._groups = groups
        self._end_said: dict[TopicPartition, set[tuple[str, int, int]]] = {}
        self._end_places: dict[TopicPartition, int] = {}

    async def look(self) -> Step | None:
        """Return what is missing; None when all is done."""
        self.balance = await self._ledger.read()
        results = await self._results.read()
        waiting = (
            self._unread()
            or await self._unsaid()
            or await self._unapplied()
            or await self._unworked()
            or self._unjudged(results)
        )
        if waiting is None:
            return None
        windowed = sum(p.accounted for p in self.balance.partitions)
        return Step(waiting, self.balance.received, windowed, len(results.standing))

    def _unread(self) -> str | None:
        unread = self.balance.unread
        return f"ingest to read {unread:,} records" if unread else None

    async def _unsaid(self) -> str | None:
        """Wait until every digest partition holds the word that each raw partition has ended."""
        raw = await self._ledger.raw_ends()
        wanted = {(topic, partition, end) for (topic, partition), end in raw.items()}
        for record in await self._digests.read_to_end():
            tp = TopicPartition(record.topic, record.partition)
            said = self._end_said.setdefault(tp, set())
            if tp in self._end_places or not _may_be_progress(record.value):
                continue
            progress = _read_progress(record.value)
            if progress is None:
                continue
            said |= {(p.topic, p.partition, p.offset) for p in progress.partitions if p.ended}
            if wanted <= said:
                self._end_places[tp] = record.offset
        count = self._settings.topics.partitions(LOGS_DIGESTS)
        missing = count - len(self._end_places)
        return f"ingest to say the end of input to {missing} partitions" if missing else None

    async def _unapplied(self) -> str | None:
        """Wait until analyze has taken in every digest up to that word."""
        committed = await self._committed("analyze")
        behind = [tp for tp, place in self._end_places.items() if committed.get(tp, 0) <= place]
        if behind:
            return f"analyze to work through {len(behind)} partitions of digests"
        problems = self.balance.problems
        return f"the ledger to balance ({problems[0]})" if problems else None

    async def _unworked(self) -> str | None:
        for stage, topic in DOWNSTREAM:
            name = self._settings.topics.name(topic)
            missing = lag(await self._ends.end_offsets(name), await self._committed(stage))
            if missing:
                return f"{stage} to work on {missing} records of {name}"
        return None

    def _unjudged(self, results: Results) -> str | None:
        if results.unjudged:
            return f"classify to judge incident {', '.join(results.unjudged[:3])}"
        if results.unplanned:
            return f"recommend to plan for incident {', '.join(results.unplanned[:3])}"
        return None

    async def _committed(self, stage: str) -> dict[TopicPartition, int]:
        return await self._groups.committed(f"{self._settings.topics.prefix}{stage}")


def _may_be_progress(value: bytes | None) -> bool:
    return value is not None and b'"type":"progress"' in value[:256]


def _read_progress(value: bytes | None) -> Progress | None:
    try:
        return Progress.from_bytes(value or b"")
    except ValidationError:
        return None
