"""Events in the order of their offsets and none left out, also across rebalances of Faust.

Comes in: Faust's consumer, and each event before it is handled. Goes out: whether it is next.
Promise: an event behind a gap is neither handled nor acknowledged; the gap is read again, and a
stage that does not get it ends. Faust 0.15.3 lost dozens of records in one rebalance without this:
a loop that was handing on a record noted its offset as read after a seek had set another place.
"""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import faust
from aiokafka import TopicPartition
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
        partitions = set(self.assignment())
        self._void(partitions)
        await super().perform_seek()
        # Faust leaves a partition without a commit where it stands, behind what it has dropped.
        acks_enabled_for = self.app.topics.acks_enabled_for
        begun = [
            tp
            for tp in self.assignment()
            if acks_enabled_for(tp.topic) and not self._committed_offset.get(tp)
        ]
        if begun:
            for tp, offset in (await self.earliest_offsets(*begun)).items():
                await super().seek(tp, offset)
        self._void(partitions | set(self.assignment()))

    async def seek(self, partition: TP, offset: int) -> None:
        """Go to `offset` of one partition."""
        self._void({partition})
        await super().seek(partition, offset)
        self._void({partition})

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
        async for tp, message in super().getmany(timeout):
            if self._sought_at.get(tp, 0) > self._fetched_at:
                continue
            yield tp, message
            if self._sought_at.get(tp, 0) > self._fetched_at:
                # Whoever took the record has noted it as read just now, behind the seek's back.
                self._read_offset[tp] = self._sought[tp]


@dataclass(slots=True)
class _Gap:
    """Offsets [expected, found) that the broker has and that did not come."""

    expected: int
    found: int
    since_ms: int
    sought_ms: int


class Sequence:
    """Tells for each event of a stage whether it is the next of its partition."""

    def __init__(self, app: faust.App, kafka: KafkaSettings) -> None:
        self._app = app
        self._kafka = kafka
        self._next: dict[TP, int] = {}
        self._waiting: dict[TP, _Gap] = {}

    def forget(self) -> None:
        """Begin anew from what is committed, after a rebalance."""
        self._next.clear()
        self._waiting.clear()

    def done(self, event: EventT[Any]) -> None:
        """Say that an event was worked on."""
        tp = event.message.tp
        self._next[tp] = max(self._next.get(tp, 0), event.message.offset + 1)

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
