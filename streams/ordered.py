"""Events in the order of their offsets and none left out, also across rebalances of Faust.

Comes in: Faust's consumer, and each event before it is handled. Goes out: whether it is next.
Promise: an event behind a gap is neither handled nor acknowledged; what did not come is read again,
and a stage that does not get it ends. Faust 0.15.3 lost dozens of records in one rebalance without
this: its loops drop what they have fetched, or note as read what a seek has left behind.
"""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import faust
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faust.transport.drivers.aiokafka import Consumer
from faust.types import TP, EventT

from streams.clock import monotonic_ms
from streams.errors import BrokerError
from streams.kafka import make_consumer, started
from streams.settings import KafkaSettings

log = logging.getLogger(__name__)

PATIENCE_MS = 30_000
SEEK_AGAIN_MS = 2_000
READ_MS = 10_000
STALLED_AFTER_MS = 5_000
LONGEST_STALL_MS = 300_000


class OrderedConsumer(Consumer):
    """Faust's consumer, whose places after a seek are not overwritten by what was read before."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._seeks = 0
        self._fetched_at = 0
        self._sought_at: dict[TP, int] = {}
        self._sought: dict[TP, int | None] = {}

    async def perform_seek(self) -> None:
        """Go to the committed offsets of all partitions, or to the beginning where none is."""
        self._void(self.sources())
        await super().perform_seek()
        # Faust leaves a partition without a commit where it stands, behind what it has dropped.
        begun = [tp for tp in self.sources() if not self._committed_offset.get(tp)]
        if begun:
            for tp, offset in (await self.earliest_offsets(*begun)).items():
                await super().seek(tp, offset)
        self._void(self.sources())

    async def seek(self, partition: TP, offset: int) -> None:
        """Go to `offset` of one partition."""
        self._void({partition})
        await super().seek(partition, offset)
        self._void({partition})

    def sources(self) -> set[TP]:
        """Return the assigned partitions that are committed: not those of changelogs."""
        enabled = self.app.topics.acks_enabled_for
        return {tp for tp in self.assignment() if enabled(tp.topic)}

    def _void(self, partitions: set[TP]) -> None:
        self._seeks += 1
        for tp in partitions:
            self._sought_at[tp] = self._seeks
            self._sought[tp] = self._read_offset.get(tp)
            # Offsets noted as absent would be committed as if they had been worked on.
            self._gap.pop(tp, None)

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:
        found: tuple[Any, Any] = await super()._wait_next_records(timeout)
        # What comes back now was fetched from the present places, however long it was waited for.
        self._fetched_at = self._seeks
        return found

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """Hand on records, none that was fetched before the last seek of its partition."""
        dropped: set[TP] = set()
        async for tp, message in super().getmany(timeout):
            if self._sought_at.get(tp, 0) > self._fetched_at:
                dropped.add(tp)
                continue
            yield tp, message
            if self._sought_at.get(tp, 0) > self._fetched_at:
                # Whoever took the record has noted it as read just now, behind the seek's back.
                self._read_offset[tp] = self._sought[tp]
        for tp in dropped:
            # The seek is made in another thread: they may have been fetched after it all the same.
            await self.seek(tp, self._sought[tp] or 0)


@dataclass(slots=True)
class _Gap:
    """Offsets [expected, found) that the broker has and that did not come."""

    expected: int
    found: int
    since_ms: int
    sought_ms: int


@dataclass(slots=True)
class _Stall:
    """Since when nothing has come of a partition that has more, and how long that is borne."""

    expected: int
    since_ms: int
    patience_ms: int = STALLED_AFTER_MS


class Sequence:
    """Tells for each event of a stage whether it is the next of its partition."""

    def __init__(self, app: faust.App, kafka: KafkaSettings) -> None:
        self._app = app
        self._kafka = kafka
        self._next: dict[TP, int] = {}
        self._waiting: dict[TP, _Gap] = {}
        self._in_hand: set[TP] = set()
        self._stalls: dict[TP, _Stall] = {}

    def forget(self) -> None:
        """Begin anew from what is committed, after a rebalance."""
        self._next.clear()
        self._waiting.clear()
        self._in_hand.clear()
        self._stalls.clear()

    def done(self, event: EventT[Any]) -> None:
        """Say that an event was worked on."""
        tp = event.message.tp
        self._next[tp] = max(self._next.get(tp, 0), event.message.offset + 1)
        self._in_hand.discard(tp)

    async def is_next(self, event: EventT[Any]) -> bool:
        """Tell whether all before `event` was worked on; raises BrokerError when it never comes."""
        tp, offset = event.message.tp, event.message.offset
        consumer: Any = self._app.consumer
        expected = self._next.get(tp)
        if expected is None:
            expected = self._next[tp] = await self._first(tp)
        missing = offset > expected and (
            tp in self._waiting or await self._exists(tp, expected, offset)
        )
        if not missing:
            self._waiting.pop(tp, None)
            self._in_hand.add(tp)
            return True
        if tp not in self._waiting:
            now_ms = monotonic_ms()
            self._waiting[tp] = _Gap(expected, offset, now_ms, now_ms - SEEK_AGAIN_MS)
        # Faust would hold up the next rebalance until this event were acknowledged.
        consumer._unacked_messages.discard(event.message)
        await self.tend()
        return False

    async def tend(self) -> None:
        """Read gaps again now and then; raises BrokerError when one has stood for too long.

        To be called often: where no more events come, nothing else would ask for what is missing.
        """
        consumer: Any = self._app.consumer
        now_ms = monotonic_ms()
        for tp, gap in list(self._waiting.items()):
            where = f"{tp.topic}/{tp.partition} jumps from {gap.expected} to {gap.found}"
            if now_ms - gap.since_ms > PATIENCE_MS:
                raise BrokerError(where)
            if now_ms - gap.sought_ms >= SEEK_AGAIN_MS:
                log.warning("%s: reading it again", where)
                gap.sought_ms = now_ms
                await consumer.seek(tp, gap.expected)

    async def mend_stalls(self) -> None:
        """Read again where the broker has more and nothing comes, though nothing is in hand.

        To be called often, while the stage is ready. What was dropped at a partition's end leaves
        no gap that a later event would show.
        """
        consumer: Any = self._app.consumer
        now_ms = monotonic_ms()
        for tp in consumer.sources():
            end = consumer.highwater(tp)
            expected = self._next.get(tp) or consumer._committed_offset.get(tp) or 0
            if not end or expected >= end or tp in self._in_hand or tp in self._waiting:
                self._stalls.pop(tp, None)
                continue
            stall = self._stalls.get(tp)
            if stall is None or stall.expected != expected:
                self._stalls[tp] = _Stall(expected, now_ms)
            elif now_ms - stall.since_ms >= stall.patience_ms:
                stall.since_ms = now_ms
                # Where retention has removed the rest, there is nothing to wait for.
                stall.patience_ms = min(2 * stall.patience_ms, LONGEST_STALL_MS)
                await self._read_on(tp, expected, end)

    async def _read_on(self, tp: TP, expected: int, end: int) -> None:
        consumer: Any = self._app.consumer
        try:
            if not await self._exists(tp, expected, end):
                return
        except (KafkaError, BrokerError):
            return  # The broker is away, which explains the stall.
        log.warning("%s/%d stands at %d of %d: reading on", *tp, expected, end)
        await consumer.seek(tp, expected)

    async def _first(self, tp: TP) -> int:
        """Return the offset to begin with: Faust hands on events before it has looked it up."""
        consumer: Any = self._app.consumer
        known: int | None = consumer._committed_offset.get(tp)
        if known is not None:
            return known
        place = TopicPartition(tp.topic, tp.partition)
        group = make_consumer(self._kafka, group=self._app.conf.id)
        async with started(group, self._kafka):
            group.assign([place])
            committed: int | None = await group.committed(place)
        return committed or 0

    async def _exists(self, tp: TP, expected: int, offset: int) -> bool:
        """Tell whether the broker has a record in [expected, offset): retention leaves gaps too."""
        place = TopicPartition(tp.topic, tp.partition)
        async with started(make_consumer(self._kafka), self._kafka) as reader:
            reader.assign([place])
            reader.seek(place, expected)
            found = await reader.getmany(place, timeout_ms=READ_MS, max_records=1)
        first = next((r.offset for records in found.values() for r in records), expected)
        return bool(first < offset)


def order(app: faust.App) -> faust.App:
    """Have `app` read with OrderedConsumer."""
    transport: Any = app.transport
    transport.Consumer = OrderedConsumer
    return app
