"""Sends the lines of log files to the raw topic, as a log shipper would have.

Comes in: log lines. Goes out: raw records, then an end-of-input mark on every raw partition.
Promise: lines of one service and instance keep their order in one partition; no time is sent, so
that each line's own stamp counts; when `run` returns, the broker has all of it.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from opspilot.logfiles import LogFile, LogLine
from schemas.topics import LOGS_RAW
from streams.clock import monotonic_ms
from streams.errors import BrokerError, TopicError
from streams.ingest.batch import CONTROL_HEADER, END_OF_INPUT
from streams.kafka import make_producer, started
from streams.settings import Settings

BATCH_BYTES = 512 << 10
ACKNOWLEDGED_WITHIN_SECONDS = 60.0
"""The client itself would try for ever where the broker has gone."""
LONGEST_WAIT_MS = 5_000
"""A pause of the log is slept in pieces, so that the progress bar moves and Ctrl-C is heard."""

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Sent:
    """How much was sent so far."""

    lines: int = 0
    read_bytes: int = 0
    per_service: dict[str, int] = field(default_factory=dict)


def raw_value(file: LogFile, text: str) -> bytes:
    """Return a line as Fluent Bit's tail input writes it, without a time of its own."""
    return _encode({"log": text, "fb_path": str(file.path.name), "fb_source": file.service})


def partition_of(key: bytes, partitions: int) -> int:
    """Place a key where Kafka's Java clients place it."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


class Replayer:
    """Sends lines to the raw topic."""

    def __init__(self, settings: Settings, report: Callable[[Sent], None] | None = None) -> None:
        """`report` hears of the progress after each batch."""
        self._settings = settings
        self._topic = settings.topics.name(LOGS_RAW)
        self._report = report or (lambda _sent: None)
        self._sent = Sent()

    async def run(self, lines: Iterable[LogLine], speed: float | None = None) -> Sent:
        """Send all lines; `speed` 1 is as they happened, 60 an hour in a minute, None at once.

        BrokerError or TopicError in one sentence when Kafka does not take them.
        """
        # Each batch is handed over complete, so there is nothing to wait for.
        producer = make_producer(self._settings.kafka, linger_ms=0, max_batch_size=1 << 20)
        async with started(producer, self._settings.kafka):
            try:
                partitions = len(await producer.partitions_for(self._topic))
                pace = _Pace(speed) if speed else None
                batches = _Batches(producer, self._topic, partitions)
                for line in lines:
                    if pace is not None and line.event_ms is not None and pace.is_early(line):
                        await batches.flush()
                        self._report(self._sent)
                        await pace.wait(line)
                    if await batches.add(line):
                        self._report(self._sent)
                    self._count(line)
                await batches.flush()
                self._report(self._sent)
                await self._mark_end(producer, partitions)
            except KafkaError as error:
                raise self._explain(error) from None
            except TimeoutError:
                raise BrokerError(
                    f"Kafka at {self._settings.kafka.bootstrap} has not acknowledged lines for "
                    f"{ACKNOWLEDGED_WITHIN_SECONDS:.0f} s: is it running, and has its disk room?"
                ) from None
        return self._sent

    def _count(self, line: LogLine) -> None:
        sent = self._sent
        sent.lines += 1
        sent.read_bytes += line.read_bytes
        service = line.file.service
        sent.per_service[service] = sent.per_service.get(service, 0) + 1

    async def _mark_end(self, producer: AIOKafkaProducer, partitions: int) -> None:
        """Say on every raw partition, the idle ones too, that nothing more comes."""
        headers = [(CONTROL_HEADER, END_OF_INPUT)]
        for partition in range(partitions):
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN_SECONDS):
                await producer.send_and_wait(
                    self._topic, value=None, key=b"", partition=partition, headers=headers
                )

    def _explain(self, error: KafkaError) -> BrokerError:
        if type(error).__name__ in ("UnknownTopicOrPartitionError", "KafkaTimeoutError"):
            return TopicError(
                f"topic {self._topic} does not take lines ({error}): run `opspilot topics create`, "
                "and check that the broker runs"
            )
        return BrokerError(f"Kafka at {self._settings.kafka.bootstrap} refused lines: {error}")


class _Batches:
    """One open batch per partition; a full one is sent and awaited, which bounds memory."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, partitions: int) -> None:
        self._producer = producer
        self._topic = topic
        self._partitions = partitions
        self._places: dict[LogFile, tuple[int, bytes]] = {}
        self._open: dict[int, tuple[Any, int]] = {}
        self._sending: dict[int, asyncio.Future[object]] = {}

    async def add(self, line: LogLine) -> bool:
        """Add a line; True when a batch was sent."""
        place = self._places.get(line.file)
        if place is None:
            key = line.file.key.encode()
            place = self._places[line.file] = partition_of(key, self._partitions), key
        partition, key = place
        value = raw_value(line.file, line.text)
        builder, size = self._open.get(partition) or (self._producer.create_batch(), 0)
        added = builder.append(key=key, value=value, timestamp=None) if size < BATCH_BYTES else None
        if added is not None:
            self._open[partition] = builder, size + len(value)
            return False
        await self._send(partition)
        builder = self._producer.create_batch()
        builder.append(key=key, value=value, timestamp=None)
        self._open[partition] = builder, len(value)
        return True

    async def flush(self) -> None:
        """Send what is open, and wait until the broker has all."""
        for partition in list(self._open):
            await self._send(partition)
        async with asyncio.timeout(ACKNOWLEDGED_WITHIN_SECONDS):
            await asyncio.gather(*self._sending.values())
        self._sending.clear()

    async def _send(self, partition: int) -> None:
        builder, size = self._open.pop(partition, (None, 0))
        if builder is None or not size:
            return
        async with asyncio.timeout(ACKNOWLEDGED_WITHIN_SECONDS):
            before = self._sending.pop(partition, None)
            if before is not None:
                await before
            self._sending[partition] = await self._producer.send_batch(
                builder, self._topic, partition=partition
            )


class _Pace:
    """Says when a line is due, by its event time and the wanted speed."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._begin: tuple[int, int] | None = None

    def due_ms(self, line: LogLine) -> int:
        assert line.event_ms is not None
        if self._begin is None:
            self._begin = line.event_ms, monotonic_ms()
        event_ms, start_ms = self._begin
        return start_ms + int((line.event_ms - event_ms) / self._speed)

    def is_early(self, line: LogLine) -> bool:
        # Small gaps are not worth a batch of their own.
        return self.due_ms(line) - monotonic_ms() > 50

    async def wait(self, line: LogLine) -> None:
        while (left_ms := self.due_ms(line) - monotonic_ms()) > 0:
            await asyncio.sleep(min(left_ms, LONGEST_WAIT_MS) / 1000)
