"""Worker processes as people start them, for tests: started, asked for their health, ended.

Comes in: a broker's address, a prefix, perhaps further settings. Goes out: a running worker with
its log, its port and its exit status. Every wait is bounded and quotes the log when it is over.
"""

import asyncio
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from opspilot.local.process import ChildProcess
from opspilot.local.worker import stage_worker
from schemas.topics import Topic
from streams.settings import KafkaSettings, Settings, TopicSettings

WAIT_SECONDS = 120.0
SESSION_TIMEOUT_MS = 10_000


def settings_for(bootstrap: str, prefix: str, partitions: int = 2) -> Settings:
    """Return settings with few partitions, as `variables_of` gives them to a worker."""
    return Settings(
        kafka=KafkaSettings(bootstrap=bootstrap, session_timeout_ms=SESSION_TIMEOUT_MS),
        topics=TopicSettings(
            prefix=prefix,
            raw_partitions=partitions,
            digest_partitions=partitions,
            incident_partitions=partitions,
        ),
    )


def variables_of(settings: Settings) -> dict[str, str]:
    """Return the environment variables that give a worker these settings."""
    kafka, topics = settings.kafka, settings.topics
    return {
        "OPSPILOT_KAFKA__BOOTSTRAP": kafka.bootstrap,
        "OPSPILOT_KAFKA__SESSION_TIMEOUT_MS": str(kafka.session_timeout_ms),
        "OPSPILOT_TOPICS__PREFIX": topics.prefix,
        "OPSPILOT_TOPICS__RAW_PARTITIONS": str(topics.raw_partitions),
        "OPSPILOT_TOPICS__DIGEST_PARTITIONS": str(topics.digest_partitions),
        "OPSPILOT_TOPICS__INCIDENT_PARTITIONS": str(topics.incident_partitions),
    }


@dataclass
class StageProcess:
    """One `opspilot worker STAGE`; a context manager that ends it."""

    stage: str
    settings: Settings
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log_path = self.folder / f"{self.stage}.log"
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("OPSPILOT_")},
            **variables_of(self.settings),
            "OPSPILOT_WORKER__DATA_FOLDER": str(self.folder / "work"),
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.variables,
        }
        self.child = ChildProcess(self.command, self.log_path, environment)
        return self

    @property
    def command(self) -> tuple[str, ...]:
        """Return how it is started."""
        return stage_worker(self.stage).command

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.child.stop(20.0)

    @property
    def log(self) -> str:
        """Return all that it wrote."""
        return self.log_path.read_text(errors="replace")

    @property
    def port(self) -> int:
        """Return the port it says it listens on, waiting for the word."""
        self.until(lambda: "listens on port" in self.log, "a port")
        found = re.search(r"listens on port (\d+)", self.log)
        assert found is not None
        return int(found[1])

    def get(self, path: str) -> tuple[int, str]:
        """Return status and text of one of its pages."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}{path}", timeout=10
            ) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def wait_ready(self) -> None:
        """Wait until /readyz says so."""
        self.until(lambda: self.get("/readyz")[0] == 200, "readiness")

    def wait_for_end(self) -> int:
        """Wait until it ends by itself; returns its exit status."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not self.child.wait(0.1):
            assert time.monotonic() < deadline, f"{self.stage} goes on:\n{self.log[-3000:]}"
        code = self.child.exit_code()
        assert code is not None
        return code

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Poll until `holds`; fails when the process ends or the time is over."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                if holds():
                    return
            except OSError:
                pass
            ended = self.child.exit_code()
            assert ended is None, f"{self.stage} ended with {ended}:\n{self.log[-3000:]}"
            assert time.monotonic() < deadline, f"no {what} of {self.stage}:\n{self.log[-3000:]}"
            time.sleep(0.05)


async def send(
    bootstrap: str,
    topic: str,
    messages: Iterable[tuple[bytes | None, bytes | None]],
    *,
    partition: int | None = None,
    compression: str | None = None,
    headers: Iterable[tuple[str, bytes]] = (),
) -> None:
    """Write keys and values, one after the other, and wait until the broker has them."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", compression_type=compression
    )
    await producer.start()
    try:
        sent = [
            await producer.send(
                topic, key=key, value=value, partition=partition, headers=list(headers)
            )
            for key, value in messages
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


class Follower:
    """Reads one topic from its beginning, without a group."""

    def __init__(self, settings: Settings, topic: Topic) -> None:
        self._settings = settings
        self._name = settings.topics.name(topic)
        self._partitions = settings.topics.partitions(topic)
        self.values: list[bytes] = []
        self.headers: list[dict[str, bytes]] = []

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka.bootstrap, auto_offset_reset="earliest"
        )
        await self._consumer.start()
        self._consumer.assign([TopicPartition(self._name, i) for i in range(self._partitions)])
        return self

    async def __aexit__(self, *_details: object) -> None:
        await self._consumer.stop()

    async def until(self, holds: Callable[[list[bytes]], bool], what: str) -> list[bytes]:
        """Read on until `holds` of all values read so far; fails when the time is over."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not holds(self.values):
            assert time.monotonic() < deadline, (
                f"no {what} in {self._name}: {str(self.values[-1:])[:2000]}"
            )
            for records in (await self._consumer.getmany(timeout_ms=200)).values():
                self.values += [record.value for record in records if record.value is not None]
                self.headers += [dict(record.headers) for record in records]
        return self.values
