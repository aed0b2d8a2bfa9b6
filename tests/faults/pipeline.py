"""The real pipeline as processes of their own, under the product's supervisor, for the worst.

Comes in: a broker, a prefix, how many members each stage has. Goes out: handles to write raw lines,
to kill and freeze a member, and to wait until all that was written is processed. Waiting looks at
offsets and the ledger, never at the clock alone; every wait is bounded and says what is missing.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from opspilot.accounting import LedgerReader
from opspilot.local.process import ChildProcess, tail
from opspilot.local.restart import RestartPolicy
from opspilot.local.supervisor import Supervisor
from opspilot.local.worker import PORT_VARIABLE, WorkerSpec, WorkerState, stage_worker
from opspilot.reading import GroupOffsets, TopicReader
from schemas.digest import Progress
from schemas.topics import (
    ANALYZE_STATE,
    CLASSIFICATIONS,
    CORRELATE_STATE,
    FINDINGS,
    INCIDENTS,
    LOGS_DIGESTS,
    LOGS_RAW,
    REMEDIATIONS,
    Topic,
)
from streams.admin import create_topics
from streams.errors import OpsPilotError
from streams.kafka import started
from streams.settings import KafkaSettings, Settings, TopicSettings

from .lines import RawRecord

SESSION_TIMEOUT_MS = 6_000
PARTITIONS = 4
BATCH_RECORDS = 100
POLL_SECONDS = 0.3
RECORDS_PER_WRITE = 50
"""Small record batches: ingest takes whole ones, and its rounds are to be many."""

STAGES = ("ingest", "analyze", "correlate", "classify", "recommend")
SOURCES: Mapping[str, Topic] = {
    "analyze": LOGS_DIGESTS,
    "correlate": FINDINGS,
    "classify": INCIDENTS,
    "recommend": CLASSIFICATIONS,
}
MARKS: Mapping[str, Topic] = {
    "ingest": LOGS_DIGESTS,
    "analyze": ANALYZE_STATE,
    "correlate": CORRELATE_STATE,
    "classify": CLASSIFICATIONS,
    "recommend": REMEDIATIONS,
}
"""The topic to which each stage writes with every step: its length says how far the stage is."""
PATIENT = RestartPolicy(
    first_delay_seconds=0.2, longest_delay_seconds=2.0, failures_before_giving_up=1_000
)


def settings_for(bootstrap: str, prefix: str) -> Settings:
    """Return the settings that the workers have, as far as a reader needs them."""
    return Settings(
        kafka=KafkaSettings(bootstrap=bootstrap, session_timeout_ms=SESSION_TIMEOUT_MS),
        topics=TopicSettings(
            prefix=prefix,
            raw_partitions=PARTITIONS,
            digest_partitions=PARTITIONS,
            incident_partitions=PARTITIONS,
        ),
    )


@dataclass
class Pipeline:
    """All stages on one prefix; an async context manager."""

    bootstrap: str
    prefix: str
    directory: Path
    members: Mapping[str, int] = field(default_factory=dict)
    batch_records: int = BATCH_RECORDS
    variables: Mapping[str, str] = field(default_factory=dict)
    """Further settings of every member."""

    def __post_init__(self) -> None:
        self.settings = settings_for(self.bootstrap, self.prefix)
        self.names = {
            stage: [f"{stage}-{i}" for i in range(1, self.members.get(stage, 1) + 1)]
            for stage in STAGES
        }
        specs = [self._spec(stage, name) for stage, names in self.names.items() for name in names]
        self.supervisor = Supervisor(specs, self.directory, PATIENT, grace_seconds=30.0)

    def _spec(self, stage: str, name: str) -> WorkerSpec:
        variables = {
            "OPSPILOT_KAFKA__BOOTSTRAP": self.bootstrap,
            "OPSPILOT_KAFKA__SESSION_TIMEOUT_MS": str(SESSION_TIMEOUT_MS),
            "OPSPILOT_TOPICS__PREFIX": self.prefix,
            "OPSPILOT_TOPICS__RAW_PARTITIONS": str(PARTITIONS),
            "OPSPILOT_TOPICS__DIGEST_PARTITIONS": str(PARTITIONS),
            "OPSPILOT_TOPICS__INCIDENT_PARTITIONS": str(PARTITIONS),
            "OPSPILOT_INGEST__BATCH_RECORDS": str(self.batch_records),
            "OPSPILOT_WORKER__DATA_FOLDER": str(self.directory / name),
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.variables,
        }
        return WorkerSpec(name, stage_worker(stage).command, variables, PORT_VARIABLE)

    async def __aenter__(self) -> Self:
        await create_topics(self.settings)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in self.all_names:
            # A process that was left frozen would hold up the drain.
            if (child := self.supervisor.child(name)) is not None:
                child.thaw()
        await asyncio.to_thread(self.supervisor.stop)

    @property
    def all_names(self) -> list[str]:
        """Return the name of every member."""
        return [name for names in self.names.values() for name in names]

    async def start(self, timeout_seconds: float = 180.0) -> None:
        """Start every member and wait until all are ready."""
        self.supervisor.start()
        await asyncio.to_thread(self.supervisor.wait_ready, timeout_seconds)

    async def add(self, name: str) -> None:
        """Start one more member, named `STAGE-NUMBER`, and wait until it is ready."""
        stage = name.rpartition("-")[0]
        self.supervisor.add(self._spec(stage, name))
        self.names[stage] = [*self.names[stage], name]
        await self.ready(name)

    async def remove(self, name: str) -> None:
        """Drain one member (SIGTERM) and forget it; an error where it had to be killed."""
        drained = await asyncio.to_thread(self.supervisor.remove, name)
        stage = name.rpartition("-")[0]
        self.names[stage] = [other for other in self.names[stage] if other != name]
        if not drained:
            raise OpsPilotError(f"{name} did not end within its grace: {self.logs([name])}")

    async def write(self, records: Iterable[RawRecord]) -> int:
        """Write raw records; returns how many."""
        return await write_raw(self.settings, records)

    async def running(self, name: str, timeout_seconds: float = 120.0) -> ChildProcess:
        """Return the process of a member, waiting for its restart where it has just ended."""
        overdue = time.monotonic() + timeout_seconds
        while time.monotonic() < overdue:
            child = self.supervisor.child(name)
            if child is not None and child.exit_code() is None:
                return child
            await asyncio.sleep(0.05)
        raise OpsPilotError(f"{name} did not come back: {self.logs([name])}")

    async def ready(self, name: str, timeout_seconds: float = 180.0) -> None:
        """Wait until a member says that it is ready."""

        def is_ready() -> bool:
            return any(
                s.name == name and s.state is WorkerState.READY for s in self.supervisor.status()
            )

        overdue = time.monotonic() + timeout_seconds
        while not is_ready():
            if time.monotonic() > overdue:
                raise OpsPilotError(f"{name} is not ready: {self.logs([name])}")
            await asyncio.sleep(0.1)

    def restarts(self) -> dict[str, tuple[int, str | None]]:
        """Return how often each member was started again, and how it ended last."""
        return {s.name: (s.restarts, s.last_exit) for s in self.supervisor.status()}

    def logs(self, names: Iterable[str] | None = None, lines: int = 12) -> str:
        """Return the last lines of the members' logs, for a failure message."""
        found = []
        for name in names or self.all_names:
            found += [f"{name} | {line}" for line in tail(self.directory / f"{name}.log", lines)]
        return "\n" + "\n".join(found)

    async def wait_until_done(self, timeout_seconds: float = 600.0) -> None:
        """Wait until all that was written is processed by every stage; says what is not, if not."""
        async with Completion(self.settings) as completion:
            await completion.wait(timeout_seconds, self.logs)


class Completion:
    """Tells whether everything is processed: offsets, the ledger, and a last word of progress."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        topics = settings.topics
        self._raw = topics.name(LOGS_RAW)
        self._sources = {stage: topics.name(topic) for stage, topic in SOURCES.items()}
        self._ledger = LedgerReader(settings)
        self._groups = GroupOffsets(settings.kafka)
        self._digests = TopicReader(
            settings.kafka,
            [topics.name(LOGS_DIGESTS)],
            ends_only=[name for name in self._sources.values() if "digests" not in name],
        )
        self._ended: set[tuple[int, int]] = set()

    async def __aenter__(self) -> Self:
        await self._ledger.__aenter__()
        await self._groups.__aenter__()
        await self._digests.__aenter__()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self._digests.__aexit__(None, None, None)
        await self._groups.__aexit__(None, None, None)
        await self._ledger.__aexit__(None, None, None)

    async def wait(self, timeout_seconds: float, logs: Callable[[], str]) -> None:
        """Poll until nothing is missing, twice in a row."""
        overdue = time.monotonic() + timeout_seconds
        quiet = 0
        while quiet < 2:
            try:
                missing = await self.missing()
            except (KafkaError, OpsPilotError) as error:
                missing = f"the broker does not answer: {error}"
            quiet = quiet + 1 if missing is None else 0
            if time.monotonic() > overdue:
                raise OpsPilotError(f"not done in {timeout_seconds:.0f} s: {missing}{logs()}")
            await asyncio.sleep(POLL_SECONDS)

    async def missing(self) -> str | None:
        """Return what is not yet processed, or None."""
        for check in (self._unread, self._unsaid):
            problem = await check()
            if problem:
                return problem
        for stage in SOURCES:
            problem = await self._lag(stage)
            if problem:
                return problem
        problems = (await self._ledger.read()).problems
        return "; ".join(problems) if problems else None

    async def _unread(self) -> str | None:
        committed = await self._groups.committed(f"{self._settings.topics.prefix}ingest")
        for (topic, number), end in (await self._ledger.raw_ends()).items():
            reached = {(tp.topic, tp.partition): o for tp, o in committed.items()}
            if reached.get((topic, number), 0) < end:
                return f"ingest has read {reached.get((topic, number), 0)} of {end} in {number}"
        return None

    async def _unsaid(self) -> str | None:
        """Every digest partition must have heard that every raw partition has come to its end."""
        ends = {number: end for (_, number), end in (await self._ledger.raw_ends()).items()}
        for record in await self._digests.read_to_end():
            if b'"progress"' not in (record.value or b"")[:64]:
                continue
            for one in Progress.from_bytes(record.value).partitions:
                place = record.partition, one.partition
                if one.ended and one.offset == ends[one.partition]:
                    self._ended.add(place)
                else:
                    self._ended.discard(place)
        lacking = len(ends) * self._settings.topics.digest_partitions - len(self._ended)
        return f"{lacking} words of progress have not been said" if lacking else None

    async def _lag(self, stage: str) -> str | None:
        topic = self._sources[stage]
        ends = await self._digests.end_offsets(topic)
        committed = await self._groups.committed(f"{self._settings.topics.prefix}{stage}")
        lag = sum(max(0, end - committed.get(tp, 0)) for tp, end in ends.items())
        if stage == "analyze":
            # Progress goes on for ever, one word per interval: a few are always under way.
            lag = max(0, lag - 3 * len(ends))
        return f"{stage} has {lag} records of {topic} to do" if lag else None


async def write_raw(settings: Settings, records: Iterable[RawRecord]) -> int:
    """Write raw records in their order within each partition; returns how many."""
    topic = settings.topics.name(LOGS_RAW)
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka.bootstrap,
        acks="all",
        enable_idempotence=True,
        max_batch_size=1 << 20,
        max_request_size=4 << 20,
    )
    batches: dict[int, list[RawRecord]] = {}
    count = 0
    async with started(producer, settings.kafka):
        for record in records:
            count += 1
            waiting = batches.setdefault(record.partition, [])
            waiting.append(record)
            if len(waiting) == RECORDS_PER_WRITE:
                await send_records(producer, topic, batches.pop(record.partition))
        for waiting in batches.values():
            await send_records(producer, topic, waiting)
        await producer.flush()
    return count


async def send_records(producer: AIOKafkaProducer, topic: str, records: list[RawRecord]) -> None:
    batch = producer.create_batch()
    for record in records:
        added = batch.append(
            key=record.key, value=record.value, timestamp=None, headers=list(record.headers)
        )
        assert added is not None, "the records of one write must fit one record batch"
    batch.close()
    await producer.send_batch(batch, topic, partition=records[0].partition)


async def wait_for(
    holds: Callable[[], Awaitable[bool]], what: Callable[[], str], timeout_seconds: float
) -> None:
    """Poll until `holds`; raises with what is missing."""
    overdue = time.monotonic() + timeout_seconds
    while not await holds():
        if time.monotonic() > overdue:
            raise OpsPilotError(f"after {timeout_seconds:.0f} s: {what()}")
        await asyncio.sleep(POLL_SECONDS)
