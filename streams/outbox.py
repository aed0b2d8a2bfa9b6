"""The one way in which a stage publishes: awaited, fenced, with CloudEvents headers.

Comes in: records and raw state. Goes out: acknowledged Kafka messages. Promise: when a call
returns, every in-sync replica has the message; a process that stood still does not send.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.base import Record
from schemas.envelope import cloud_event_headers
from schemas.topics import DEAD_LETTERS, Topic
from streams.clock import FreezeWatch
from streams.deadletters import DeadLetter, send_dead_letter
from streams.kafka import make_producer, start, stop
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Letter:
    """One record on its way out; `partition` None lets the key decide."""

    topic: Topic
    key: str
    record: Record
    event_id: str
    time_ms: int
    partition: int | None = None
    traceparent: str | None = None


class Outbox:
    """Publishes for one stage; start it before use, stop it at the end."""

    def __init__(self, settings: Settings, stage: str, watch: FreezeWatch) -> None:
        self._settings = settings
        self._stage = stage
        self._watch = watch
        self._producer: AIOKafkaProducer | None = None
        # The agents of several partitions begin at once; two producers would be one too many.
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Connect; raises BrokerError in one sentence."""
        async with self._starting:
            if self._producer is None:
                producer = make_producer(self._settings.kafka, linger_ms=0)
                await start(producer, self._settings.kafka)
                self._producer = producer

    async def stop(self) -> None:
        """Flush and close."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await stop(producer)

    async def broker_answers(self) -> bool:
        """Tell whether a broker answers a question now; False too before the first connection."""
        if self._producer is None:
            return False
        try:
            await self._producer.client.fetch_all_metadata()
        except (KafkaError, OSError):
            return False
        return True

    async def publish(self, letters: Iterable[Letter]) -> None:
        """Send all, then wait until the broker has all; raises KafkaError if it refuses one."""
        producer = await self._ready()
        sent = [await self._send(producer, letter) for letter in letters]
        if sent:
            await asyncio.gather(*sent)

    async def publish_raw(
        self,
        topic_name: str,
        messages: Iterable[tuple[bytes, bytes | None]],
        *,
        partition: int,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Send keys and values as they are to one partition, in order; wait for the broker."""
        producer = await self._ready()
        sent = [
            await producer.send(
                topic_name, key=key, value=value, partition=partition, headers=list(headers)
            )
            for key, value in messages
        ]
        await asyncio.gather(*sent)

    async def set_aside(self, letter: DeadLetter) -> None:
        """Send one message to the dead letters, and wait until the broker has it."""
        producer = await self._ready()
        await send_dead_letter(producer, self._settings.topics.name(DEAD_LETTERS), letter)

    async def _ready(self) -> AIOKafkaProducer:
        self._watch.check()
        if self._producer is None:
            await self.start()
        assert self._producer is not None
        return self._producer

    async def _send(self, producer: AIOKafkaProducer, letter: Letter) -> "asyncio.Future[object]":
        self._watch.check()
        headers = cloud_event_headers(
            letter.record,
            source=self._stage,
            event_id=letter.event_id,
            time_ms=letter.time_ms,
            traceparent=letter.traceparent,
        )
        future: asyncio.Future[object] = await producer.send(
            self._settings.topics.name(letter.topic),
            key=letter.key.encode(),
            value=letter.record.to_bytes(),
            partition=letter.partition,
            headers=headers,
        )
        return future
