"""A topic followed without a group: all partitions, always to the present end.

Comes in: a topic of the map, perhaps a time to begin at. Goes out: each record once, in the order
of its partition. Promise: after `read_new` nothing that the broker had when it was called is
missing; takes nothing from anybody and commits nothing.
"""

from collections.abc import Callable, Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from schemas.topics import Topic
from streams.errors import BrokerError
from streams.kafka import make_consumer, start, stop
from streams.settings import Settings

POLL_MS = 500
FETCH_WAIT_MS = 20
"""A broker answers one request of a connection at a time: a fetch that waits for more would hold up
the question for the end by as long. Between two readings all partitions are paused."""
MAX_EMPTY_POLLS = 60
"""Without one record for 30 seconds, the broker is taken to be away."""


class TopicTail:
    """Reads what is new in one topic."""

    def __init__(self, settings: Settings, topic: Topic, since_ms: int = 0) -> None:
        """Begin at the first record appended at or after `since_ms`; connects when first read."""
        self._settings = settings
        self._name = settings.topics.name(topic)
        self._partitions = [
            TopicPartition(self._name, number)
            for number in range(settings.topics.partitions(topic))
        ]
        self._since_ms = since_ms
        self._consumer: AIOKafkaConsumer | None = None

    async def read_new(self, take: Callable[[ConsumerRecord], None]) -> None:
        """Give each record between the place reached so far and the present end to `take`.

        Raises BrokerError when the broker is lost; what was taken by then is not given again.
        """
        try:
            consumer = self._consumer or await self._begin()
            ends = await consumer.end_offsets(self._partitions)
            empty_polls = 0
            consumer.resume(*self._partitions)
            while behind := await self._behind(consumer, ends):
                found = await consumer.getmany(*behind, timeout_ms=POLL_MS)
                empty_polls = 0 if found else empty_polls + 1
                if empty_polls > MAX_EMPTY_POLLS:
                    raise BrokerError(f"topic {self._name} cannot be read to its end")
                for records in found.values():
                    for record in records:
                        take(record)
            consumer.pause(*self._partitions)
        except KafkaError as error:
            raise BrokerError(f"topic {self._name} cannot be read: {error!r}") from error

    async def close(self) -> None:
        """Let go of the connection."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await stop(consumer)

    async def _behind(
        self, consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]
    ) -> list[TopicPartition]:
        return [tp for tp in self._partitions if await consumer.position(tp) < ends[tp]]

    async def _begin(self) -> AIOKafkaConsumer:
        consumer = make_consumer(self._settings.kafka, fetch_max_wait_ms=FETCH_WAIT_MS)
        await start(consumer, self._settings.kafka)
        consumer.assign(self._partitions)
        consumer.pause(*self._partitions)
        await consumer.seek_to_beginning(*self._partitions)
        if self._since_ms:
            # Asked for first: what comes in between is then read, not left out.
            ends = await consumer.end_offsets(self._partitions)
            wanted = dict.fromkeys(self._partitions, self._since_ms)
            for tp, place in (await consumer.offsets_for_times(wanted)).items():
                consumer.seek(tp, ends[tp] if place is None else place.offset)
        self._consumer = consumer
        return consumer
