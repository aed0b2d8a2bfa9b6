"""A compacted topic as a dictionary: read without a group, to the end before the first answer.

Comes in: a topic of one partition. Goes out: the latest value per key. Promise: every process sees
all keys; when the broker is away the last known state is served, and said to be old.
"""

import asyncio
import logging
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.topics import Topic
from streams.clock import monotonic_ms
from streams.errors import BrokerError
from streams.kafka import make_consumer, start, stop
from streams.settings import Settings

log = logging.getLogger(__name__)

REFRESH_MS = 2_000
READ_TIMEOUT_SECONDS = 30.0


class CompactedTopic:
    """The present content of one compacted topic."""

    def __init__(self, settings: Settings, topic: Topic) -> None:
        self._settings = settings
        self._topic = settings.topics.name(topic)
        self._values: dict[bytes, bytes] = {}
        self._consumer: AIOKafkaConsumer | None = None
        self._lock = asyncio.Lock()
        self._fresh_until_ms = 0
        self._complete = False
        self.version = 0
        """Rises whenever the content changed."""

    async def read(self) -> Mapping[bytes, bytes]:
        """Return all values by key, at most two seconds old while the broker answers.

        Raises BrokerError only while the topic was never read to its end: then nothing is known.
        """
        if monotonic_ms() >= self._fresh_until_ms:
            async with self._lock:
                if monotonic_ms() >= self._fresh_until_ms:
                    await self._read_to_end()
                    self._fresh_until_ms = monotonic_ms() + REFRESH_MS
        return self._values

    async def close(self) -> None:
        """Let go of the connection."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await stop(consumer)

    async def _read_to_end(self) -> None:
        partition = TopicPartition(self._topic, 0)
        if self._consumer is None:
            consumer = make_consumer(self._settings.kafka)
            await start(consumer, self._settings.kafka)
            consumer.assign([partition])
            await consumer.seek_to_beginning(partition)
            self._consumer = consumer
        try:
            async with asyncio.timeout(READ_TIMEOUT_SECONDS):
                await self._follow(self._consumer, partition)
            self._complete = True
        except (KafkaError, TimeoutError) as error:
            if not self._complete:
                raise BrokerError(f"topic {self._topic} cannot be read: {error!r}") from error
            # A judgement from what was known a moment ago is better than none.
            log.warning("the content of %s may be old: %r", self._topic, error)

    async def _follow(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> None:
        end = (await consumer.end_offsets([partition]))[partition]
        while await consumer.position(partition) < end:
            batches = await consumer.getmany(partition, timeout_ms=1_000)
            for record in batches.get(partition, []):
                self._apply(record.key or b"", record.value)

    def _apply(self, key: bytes, value: bytes | None) -> None:
        self.version += 1
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value
