"""What people say of their services, as the stages see it: a reader of the `services` topic.

Comes in: the compacted topic. Goes out: the latest ServiceInfo per service. Promise: read to the
end before the first answer, then refreshed; no consumer group, so every process sees all.
"""

import asyncio
import logging
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from schemas.services import ServiceInfo
from schemas.topics import SERVICES
from streams.clock import monotonic_ms
from streams.kafka import make_consumer, start, stop
from streams.settings import Settings

log = logging.getLogger(__name__)

REFRESH_MS = 2_000


class ServiceDirectory:
    """The latest word on each service."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topics.name(SERVICES)
        self._known: dict[str, ServiceInfo] = {}
        self._consumer: AIOKafkaConsumer | None = None
        self._lock = asyncio.Lock()
        self._fresh_until_ms = 0

    async def find(self, service: str) -> ServiceInfo | None:
        """Return what is known of `service`."""
        await self._refresh()
        return self._known.get(service)

    async def dependencies(self) -> Mapping[str, tuple[str, ...]]:
        """Return the declared dependencies of every service that declares any."""
        await self._refresh()
        return {name: info.dependencies for name, info in self._known.items() if info.dependencies}

    async def close(self) -> None:
        """Let go of the connection."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await stop(consumer)

    async def _refresh(self) -> None:
        if monotonic_ms() < self._fresh_until_ms:
            return
        async with self._lock:
            if monotonic_ms() < self._fresh_until_ms:
                return
            await self._read_to_end()
            self._fresh_until_ms = monotonic_ms() + REFRESH_MS

    async def _read_to_end(self) -> None:
        partition = TopicPartition(self._topic, 0)
        if self._consumer is None:
            consumer = make_consumer(self._settings.kafka)
            await start(consumer, self._settings.kafka)
            consumer.assign([partition])
            await consumer.seek_to_beginning(partition)
            self._consumer = consumer
        try:
            end = (await self._consumer.end_offsets([partition]))[partition]
            while await self._consumer.position(partition) < end:
                batches = await self._consumer.getmany(partition, timeout_ms=1_000)
                for record in batches.get(partition, []):
                    self._learn(record.key, record.value)
        except KafkaError as error:
            # An incident without its owner's name is better than no incident.
            log.warning("what is known of the services may be old: %s", error)

    def _learn(self, key: bytes | None, value: bytes | None) -> None:
        if value is None:
            self._known.pop((key or b"").decode("utf-8", "replace"), None)
            return
        try:
            info = ServiceInfo.from_bytes(value)
        except ValidationError as error:
            log.warning("a record of %s is not a service: %s", self._topic, error)
            return
        self._known[info.service] = info
