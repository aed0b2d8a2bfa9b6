"""Model calls under harm: the stage killed during calls, the server gone, hanging, and back.

A real classify worker on a real Kafka against a fake text-generation-inference that notes every
question. No test asserts a time; each wait is bounded.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fakes import acts
from fakes.model_server import Habits
from fakes.tgi_server import TgiServer

from opspilot.local.ports import free_port
from opspilot.local.supervisor import Supervisor
from opspilot.local.worker import PORT_VARIABLE, WorkerSpec, stage_worker
from opspilot.reading import TopicReader
from schemas.classification import Classification
from schemas.finding import ShapeEvidence
from schemas.incident import Incident, LogAnalysis
from schemas.learning import ModelRelease, ModelRole
from schemas.topics import CLASSIFICATIONS, INCIDENTS, MODELS
from schemas.vocabulary import IncidentStatus, Level, Severity
from streams.admin import create_topics
from streams.kafka import make_producer, started
from streams.settings import KafkaSettings, Settings, TopicSettings

from .pipeline import PATIENT

pytestmark = [pytest.mark.kafka, pytest.mark.faults]

PARTITIONS = 4
SESSION_TIMEOUT_MS = 6_000
WAIT_SECONDS = 90.0
_ASKED_ABOUT = re.compile(r"prod/shop/svc(\d+)")


def incident(number: int) -> Incident:
    """Return one incident whose number stands in every question about it."""
    line = "ERROR: deadlock detected; process <num> waits for ShareLock on transaction <num>"
    shape = ShapeEvidence(
        shape_id=f"{number:08x}", shape=line, level=Level.ERROR, count=5, examples=(line,)
    )
    service = f"prod/shop/svc{number}"
    return Incident(
        id=f"incident-{number:06d}",
        revision=1,
        status=IncidentStatus.OPEN,
        service=service,
        services=(service,),
        fingerprint=f"{number:016x}",
        title=line,
        opened_ms=1_795_380_000_000,
        updated_ms=1_795_380_000_000,
        count=5,
        analysis=LogAnalysis(summary=line, severity=Severity.MEDIUM, evidence=(shape,)),
    )


class Case:
    """One classify worker at a time, and the topics around it."""

    def __init__(self, bootstrap: str, prefix: str, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(
            kafka=KafkaSettings(bootstrap=bootstrap, session_timeout_ms=SESSION_TIMEOUT_MS),
            topics=TopicSettings(prefix=prefix, incident_partitions=PARTITIONS),
        )
        self.found: list[Classification] = []

    @asynccontextmanager
    async def worker(self, url: str, **model: str) -> AsyncIterator[Supervisor]:
        """Run classify under the product's supervisor, which starts it again when it ends."""
        variables = {
            "OPSPILOT_KAFKA__BOOTSTRAP": self.settings.kafka.bootstrap,
            "OPSPILOT_KAFKA__SESSION_TIMEOUT_MS": str(SESSION_TIMEOUT_MS),
            "OPSPILOT_TOPICS__PREFIX": self.settings.topics.prefix,
            "OPSPILOT_TOPICS__INCIDENT_PARTITIONS": str(PARTITIONS),
            "OPSPILOT_WORKER__DATA_FOLDER": str(self.folder / "work"),
            "OPSPILOT_MODEL__BACKEND": "tgi",
            "OPSPILOT_MODEL__URL": url,
            **{f"OPSPILOT_MODEL__{name.upper()}": value for name, value in model.items()},
        }
        spec = WorkerSpec("classify", stage_worker("classify").command, variables, PORT_VARIABLE)
        supervisor = Supervisor([spec], self.folder, PATIENT, grace_seconds=10.0)
        supervisor.start()
        try:
            await asyncio.to_thread(supervisor.wait_ready, WAIT_SECONDS)
            yield supervisor
        finally:
            await asyncio.to_thread(supervisor.stop)

    async def write(self, numbers: range) -> None:
        topic = self.settings.topics.name(INCIDENTS)
        kafka = self.settings.kafka
        async with started(make_producer(kafka, linger_ms=0), kafka) as producer:
            for number in numbers:
                one = incident(number)
                await producer.send_and_wait(topic, key=one.id.encode(), value=one.to_bytes())

    async def release(self, adapter: str) -> None:
        record = ModelRelease(
            role=ModelRole.CHAMPION, backend="tgi", model="m", adapter=adapter, released_ms=1
        )
        topic, kafka = self.settings.topics.name(MODELS), self.settings.kafka
        async with started(make_producer(kafka, linger_ms=0), kafka) as producer:
            await producer.send_and_wait(topic, key=b"champion", value=record.to_bytes())

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Read verdicts until `holds`."""
        topic = self.settings.topics.name(CLASSIFICATIONS)
        async with TopicReader(self.settings.kafka, [topic]) as reader:
            self.found.clear()
            async with asyncio.timeout(WAIT_SECONDS):
                while True:
                    records = await reader.read_to_end()
                    self.found += [Classification.from_bytes(record.value) for record in records]
                    if holds():
                        return
                    await asyncio.sleep(0.05)
        raise AssertionError(what)

    def judged(self) -> set[int]:
        return {int(one.incident_id.rpartition("-")[2]) for one in self.found}

    def by(self, numbers: range) -> Counter[str]:
        """Return who judged these incidents, or why it was not the model."""
        wanted = {incident(number).id for number in numbers}
        return Counter(
            one.judge.fallback_reason or one.judge.backend
            for one in self.found
            if one.incident_id in wanted
        )


def asked_about(server: TgiServer) -> Counter[int]:
    """Return how often the model was asked about each incident."""
    prompts = (asked.body["inputs"] for asked in server.generations)
    return Counter(int(found[1]) for text in prompts if (found := _ASKED_ABOUT.search(text)))


@pytest.fixture
async def case(broker, topic_prefix, tmp_path) -> Case:
    made = Case(broker.bootstrap, topic_prefix, tmp_path)
    await create_topics(made.settings)
    return made


async def test_killed_during_calls_all_are_judged_and_no_acknowledged_answer_is_asked_for_again(
    case: Case,
):
    count = 24
    async with TgiServer(habits=Habits(delay_seconds=0.4)) as server:
        async with case.worker(server.url) as supervisor:
            await case.write(range(count))
            await case.until(lambda: len(case.found) >= 5, "a few verdicts")
            await until(lambda: server.counts.in_flight >= 2)
            process = supervisor.child("classify")
            assert process is not None
            process.kill()
            cut_off = server.counts.in_flight
            await case.until(lambda: True, "what the broker has")
            acknowledged, asked_before = case.judged(), asked_about(server)
            await case.until(lambda: len(case.judged()) == count, "all verdicts")
        asked = asked_about(server)
    assert cut_off >= 2, "nothing was under way: this proved nothing"
    assert 5 <= len(acknowledged) < count
    assert {number: asked[number] for number in acknowledged} == {
        number: asked_before[number] for number in acknowledged
    }
    assert sum(asked.values()) <= count + cut_off
    assert Counter(one.incident_id for one in case.found).most_common(1)[0][1] == 1
    assert case.by(range(count)) == {"tgi": count}


async def test_the_server_dies_and_returns_and_hangs_and_nothing_waits_for_it(case: Case):
    port, bounds = free_port(), {"breaker_open_seconds": "1", "call_timeout_seconds": "2"}
    before, dead, back, hanging, well = (range(n, n + 6) for n in range(0, 30, 6))
    server = TgiServer(port=port)
    async with server:
        url = server.url
        worker = case.worker(url, **bounds)
        async with worker:
            await judge(case, before)
            assert case.by(before) == {"tgi": 6}
            await server.__aexit__()
            await judge(case, dead)
            assert set(case.by(dead)) <= {"unreachable", "breaker-open"}
            async with TgiServer(port=port) as again:
                await recovery(case, range(100, 140))
                await judge(case, back)
                assert case.by(back) == {"tgi": 6}
                again.habits.hangs = True
                await judge(case, hanging)
                assert set(case.by(hanging)) == {"timed-out", "breaker-open"}
                again.habits.hangs = False
                again.script(acts.overloaded(), acts.incomplete())
                await recovery(case, range(140, 180))
                await judge(case, well)
                assert case.by(well) == {"tgi": 6}


async def test_an_adapter_judges_only_where_it_really_answers(case: Case):
    async with TgiServer(adapters={"tuned-1"}) as server:
        await case.release("tuned-1")
        async with case.worker(server.url):
            await judge(case, range(4))
            assert {one.judge.adapter for one in case.found} == {"tuned-1"}
            await case.release("lost-2")
            # The release is seen within seconds: until then the old one goes on.
            for number in range(10, 60):
                await judge(case, range(number, number + 1))
                if case.by(range(number, number + 1)) == {"adapter-silent": 1}:
                    break
                await asyncio.sleep(0.5)
    last = case.found[-1].judge
    assert (last.backend, last.adapter) == ("tgi", None)
    assert last.fallback_reason == "adapter-silent"


async def judge(case: Case, numbers: range) -> None:
    """Write incidents and wait until they are judged."""
    await case.write(numbers)
    await case.until(lambda: set(numbers) <= case.judged(), f"verdicts on {numbers}")


async def recovery(case: Case, numbers: range) -> None:
    """Write one incident after another until the model judges one."""
    for number in numbers:
        await judge(case, range(number, number + 1))
        if case.by(range(number, number + 1)) == {"tgi": 1}:
            return
        await asyncio.sleep(0.25)
    raise AssertionError("the server was back and was not asked again")


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not holds():
            await asyncio.sleep(0.02)
