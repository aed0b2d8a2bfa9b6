"""Events in the order of their offsets and none left out, also across rebalances of Faust.

Comes in: Faust's consumer, and each event before it is handled. Goes out: whether it is next.
Promise: an event behind a gap is neither handled nor acknowledged; the gap is read again, and a
stage that does not get it ends. Faust 0.15.3 lost dozens of records in one rebalance without this:
a loop that was handing on a record noted its offset as read after a seek had set another place.
"""

import logging
from collections.abc import AsyncIterator
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
        self._sought_at: dict[TP, int] = {}
        self._sought: dict[TP, int | None] = {}

    async def perform_seek(self) -> None:
        """Go to the committed offsets of all partitions."""
        partitions = set(self.assignment())
        self._void(partitions)
        await super().perform_seek()
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

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """Hand on records, none that was fetched before the last seek of its partition."""
        seeks = self._seeks
        async for tp, message in super().getmany(timeout):
            if self._sought_at.get(tp, 0) > seeks:
                continue
            yield tp, message
            if self._sought_at.get(tp, 0) > seeks:
                # Whoever took the record has noted it as read just now, behind the seek's back.
                self._read_offset[tp] = self._sought[tp]


class Sequence:
    """Tells for each event of a stage whether it is the next of its partition."""

    def __init__(self, app: faust.App, kafka: KafkaSettings) -> None:
        self._app = app
        self._kafka = kafka
        self._next: dict[TP, int] = {}
        self._waiting: dict[TP, tuple[int, int]] = {}
        """Since when a gap is waited for, and when it was sought last, by monotonic time."""

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
            expected = consumer._committed_offset.get(tp) or 0
        missing = offset > expected and (
            tp in self._waiting or await self._exists(tp, expected, offset)
        )
        if not missing:
            self._waiting.pop(tp, None)
            return True
        now_ms = monotonic_ms()
        since_ms, sought_ms = self._waiting.get(tp, (now_ms, now_ms - SEEK_AGAIN_MS - 1))
        if now_ms - since_ms > PATIENCE_MS:
            raise BrokerError(f"{tp.topic}/{tp.partition} jumps from {expected} to {offset}")
        if now_ms - sought_ms > SEEK_AGAIN_MS:
            log.warning("%s jumps from %d to %d: reading it again", tp, expected, offset)
            sought_ms = now_ms
            await consumer.seek(tp, expected)
        self._waiting[tp] = since_ms, sought_ms
        # Faust would hold up the next rebalance until this event were acknowledged.
        consumer._unacked_messages.discard(event.message)
        return False

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
