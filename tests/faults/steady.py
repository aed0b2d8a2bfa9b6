"""A steady stream of lines at live speed: many healthy services, one of which fails at a time.

Comes in: a rate, how many services, how often one begins to fail. Goes out: raw records stamped
now, at the rate whatever the machine does (what fell behind is made up), and the list of episodes:
which service, and when its first bad line was written. `finish` says that no more comes.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer

from schemas.topics import LOGS_RAW
from streams.ingest.batch import CONTROL_HEADER, END_OF_INPUT
from streams.kafka import started
from streams.settings import Settings

from .lines import RawRecord, partition_of
from .pipeline import PARTITIONS, send_records

TICK_SECONDS = 0.1
RECORDS_PER_WRITE = 2_000
BAD_LINES_PER_TICK = 1

ROUTINE = (
    "INFO GET /catalog/{n} 200 {ms}ms",
    "INFO order {n} accepted for customer {n}",
    "INFO outbox flushed {n} events in {ms} ms",
    "DEBUG keepalive connection {n} reused",
    "INFO reservation {hex} confirmed",
)
BAD = (
    "ERROR could not reach database db-of-{service}.internal:5432: connection refused ({n})",
    "ERROR cannot write to /var/lib/{service}/wal: No space left on device ({n})",
    "ERROR {service}: authentication failed for user svc{n}",
    "ERROR upstream of {service} timed out after {n} ms",
)


@dataclass(frozen=True, slots=True)
class Episode:
    """One failure."""

    service: str
    began_ms: int
    """When its first bad line was written."""


@dataclass
class Steady:
    """Writes until `finish`; an async context manager that holds the producer."""

    settings: Settings
    lines_per_second: int
    services: int
    episode_every_seconds: float
    episode_seconds: float
    first_episode_seconds: float = 20.0
    """Services are healthy for so long first, or nothing would be unusual."""
    episodes: list[Episode] = field(default_factory=list)
    written: int = 0

    def __post_init__(self) -> None:
        self._chance = random.Random(6)
        self._names = [f"svc-{number:02d}" for number in range(self.services)]
        self._topic = self.settings.topics.name(LOGS_RAW)
        self._ending = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self.settings.kafka.bootstrap,
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            max_batch_size=1 << 20,
            max_request_size=4 << 20,
        )
        self._open = started(self._producer, self.settings.kafka)
        await self._open.__aenter__()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._open.__aexit__(kind, error, trace)

    def check(self) -> None:
        """Raise what ended the writing, if something did."""
        if self._task.done() and not self._task.cancelled():
            self._task.result()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait while lines are being written."""
        while not holds():
            self.check()
            await asyncio.sleep(TICK_SECONDS)

    async def finish(self) -> int:
        """Stop, say in every partition that no more comes; returns how many records there are."""
        self._ending.set()
        await self._task
        for partition in range(PARTITIONS):
            last = RawRecord(partition, b"end-of-input", None, ((CONTROL_HEADER, END_OF_INPUT),))
            await self._send([last])
        await self._producer.flush()
        return self.written

    async def _run(self) -> None:
        began = time.monotonic()
        routine = 0
        while not self._ending.is_set():
            elapsed = time.monotonic() - began
            due = int(elapsed * self.lines_per_second) - routine
            records = [self._record(self._chance.choice(self._names), None) for _ in range(due)]
            routine += due
            records += self._bad_lines(elapsed - self.first_episode_seconds)
            await self._send(records)
            await asyncio.sleep(TICK_SECONDS)

    def _bad_lines(self, elapsed: float) -> list[RawRecord]:
        number, into = divmod(elapsed, self.episode_every_seconds)
        if number < 0 or into >= self.episode_seconds:
            return []
        service = self._names[int(number) % len(self._names)]
        if int(number) == len(self.episodes):
            self.episodes.append(Episode(service, time.time_ns() // 1_000_000))
        text = BAD[int(number) % len(BAD)]
        return [self._record(service, text) for _ in range(BAD_LINES_PER_TICK)]

    def _record(self, service: str, text: str | None) -> RawRecord:
        chance = self._chance
        number = chance.randrange(1, 100_000)
        line = (text or chance.choice(ROUTINE)).format(
            n=number, ms=number % 40, hex=f"{chance.getrandbits(64):016x}", service=service
        )
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        value = json.dumps({"fb_ts": stamp, "fb_source": f"prod/shop/{service}", "log": line})
        key = f"prod/shop/{service}/1".encode()
        return RawRecord(partition_of(key, PARTITIONS), key, value.encode())

    async def _send(self, records: list[RawRecord]) -> None:
        parts: dict[int, list[RawRecord]] = {}
        for record in records:
            parts.setdefault(record.partition, []).append(record)
        for part in parts.values():
            for first in range(0, len(part), RECORDS_PER_WRITE):
                await send_records(
                    self._producer, self._topic, part[first : first + RECORDS_PER_WRITE]
                )
        self.written += len(records)
