"""Reads topics as a person does: from the beginning to the present end, or on as they grow.

Comes in: settings and topic names. Goes out: Kafka records. Promise: no consumer group, so that
looking at a topic never takes anything from the stages, and commits nothing.
"""

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.errors import BrokerError, TopicError
from streams.kafka import make_admin, make_consumer, start, started, stop
from streams.settings import KafkaSettings

POLL_MS = 500


class TopicReader:
    """Reads all partitions of some topics; a context manager."""

    def __init__(
        self, kafka: KafkaSettings, topics: Sequence[str], ends_only: Sequence[str] = ()
    ) -> None:
        """Read `topics`; of `ends_only` nothing is read, only their offsets can be asked for."""
        self._kafka = kafka
        self._topics = tuple(topics)
        self._ends_only = tuple(ends_only)
        self._consumer: AIOKafkaConsumer = make_consumer(kafka)
        self._read: list[TopicPartition] = []
        self._counted: list[TopicPartition] = []

    async def __aenter__(self) -> Self:
        await start(self._consumer, self._kafka)
        try:
            await self._assign()
        except BaseException:
            await stop(self._consumer)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await stop(self._consumer)

    async def _assign(self) -> None:
        # A consumer without subscription has no metadata: only an admin client knows the widths.
        async with started(make_admin(self._kafka), self._kafka) as admin:
            described = await admin.describe_topics([*self._topics, *self._ends_only])
        widths = {t["topic"]: len(t["partitions"]) for t in described if t["error_code"] == 0}
        for topics, partitions in (
            (self._topics, self._read),
            (self._ends_only, self._counted),
        ):
            for topic in topics:
                if topic not in widths:
                    raise TopicError(f"topic {topic} does not exist: run `opspilot topics create`")
                partitions += [TopicPartition(topic, number) for number in range(widths[topic])]
        self._consumer.assign([*self._read, *self._counted])
        self._consumer.pause(*self._counted)
        if self._read:
            await self._consumer.seek_to_beginning(*self._read)

    async def end_offsets(self, topic: str) -> dict[TopicPartition, int]:
        """Return the offset after the last record of each partition of `topic`."""
        wanted = [tp for tp in (*self._read, *self._counted) if tp.topic == topic]
        return await self._ends(wanted)

    async def _ends(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        try:
            ends: dict[TopicPartition, int] = await self._consumer.end_offsets(partitions)
        except KafkaError as error:
            raise BrokerError(f"Kafka at {self._kafka.bootstrap} was lost: {error}") from None
        return ends

    async def seek_to_end(self) -> None:
        """Leave out what is there already."""
        await self._consumer.seek_to_end(*self._read)
        for tp in self._read:
            # Fixes the place now: a lazy seek would also leave out what comes before the next poll.
            await self._consumer.position(tp)

    async def read_to_end(self) -> list[ConsumerRecord]:
        """Return every record between the place reached so far and the present end."""
        found: list[ConsumerRecord] = []
        try:
            ends = await self._ends(self._read)
            while await self._behind(ends):
                for records in (await self._consumer.getmany(timeout_ms=POLL_MS)).values():
                    found.extend(records)
        except KafkaError as error:
            raise BrokerError(f"Kafka at {self._kafka.bootstrap} was lost: {error}") from None
        return found

    async def follow(self) -> AsyncIterator[ConsumerRecord]:
        """Yield records as they come, for ever."""
        while True:
            try:
                batches = await self._consumer.getmany(timeout_ms=POLL_MS)
            except KafkaError as error:
                raise BrokerError(f"Kafka at {self._kafka.bootstrap} was lost: {error}") from None
            for records in batches.values():
                for record in records:
                    yield record

    async def _behind(self, ends: dict[TopicPartition, int]) -> bool:
        for tp, end in ends.items():
            if await self._consumer.position(tp) < end:
                return True
        return False


class GroupOffsets:
    """Asks how far consumer groups have committed; a context manager."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._admin: AIOKafkaAdminClient = make_admin(kafka)

    async def __aenter__(self) -> Self:
        await start(self._admin, self._kafka)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await stop(self._admin)

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        """Return the offsets that `group` has committed; empty for a group that never was."""
        try:
            found = await self._admin.list_consumer_group_offsets(group)
        except (TimeoutError, KafkaError):
            return {}
        return {tp: held.offset for tp, held in found.items() if held.offset >= 0}


def lag(ends: dict[TopicPartition, int], committed: dict[TopicPartition, int]) -> int:
    """Return how many records lie between what was committed and the ends."""
    return sum(max(0, end - committed.get(tp, 0)) for tp, end in ends.items())
