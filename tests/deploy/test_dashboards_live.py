"""Every query of every panel, asked of a real Prometheus that scrapes the running pipeline.

The stack is the product's own, judged by a fake text-generation-inference; sample lines are
replayed, people speak, one message is broken. Each panel has data, or its description says where
it has: with servers that do not run here.
"""

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheusserver import Prometheus
from test_dashboard_files import DRAWN, expressions

from agents.logic.feedback.signing import feedback_key
from opspilot.commands.replay import send_files
from opspilot.local.ports import free_port
from opspilot.local.supervisor import Supervisor
from opspilot.local.worker import WorkerSpec
from opspilot.logfiles import LogFile
from opspilot.sample.scenario import write_sample
from opspilot.settling import Settled, settle
from opspilot.stack import LEARNING, STAGES, Stack, StackPlan, running_stack
from schemas.learning import Feedback, ModelRelease, ModelRole
from schemas.topics import FEEDBACK, LOGS_RAW, MODELS
from streams.clock import now_ms
from streams.kafka import make_producer, started

pytestmark = [pytest.mark.deploy, pytest.mark.kafka]

ADAPTER = "triage-sample"
TESTS = Path(__file__).parents[1]
SECONDS = 90.0
LIVE_LINES = 120
ELSEWHERE = re.compile(r"Has data where (?!a model server is configured)")
"""A description that speaks of a server, or a setting, which this stack is without."""


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.startswith("OPSPILOT_"):
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def model_server(tmp_path: Path, clean_environment: pytest.MonkeyPatch) -> Iterator[str]:
    port = free_port()
    command = (
        *(sys.executable, "-m", "fakes.tgi_server", "--port", str(port), "--adapter", ADAPTER),
        *("--failure-rate", "0.2", "--delay", "0.02"),
    )
    spec = WorkerSpec("tgi", command, {"PYTHONPATH": str(TESTS)}, "FAKE_TGI_PORT", port, "/health")
    with Supervisor([spec], tmp_path / "model") as server:
        server.wait_ready(SECONDS)
        url = f"http://127.0.0.1:{port}"
        clean_environment.setenv("OPSPILOT_MODEL__BACKEND", "tgi")
        clean_environment.setenv("OPSPILOT_MODEL__URL", url)
        yield url


def test_each_panel_has_data_or_says_where(
    prometheus: str, model_server: str, broker: Any, topic_prefix: str, tmp_path: Path
) -> None:
    plan = StackPlan(
        tmp_path / "stack", kafka=broker.bootstrap, prefix=topic_prefix, stages=STAGES + LEARNING
    )
    with running_stack(plan, lambda _: None) as stack:
        stack.supervisor.wait_ready(SECONDS)
        ports = {status.name: status.port for status in stack.status()}
        with Prometheus(prometheus, tmp_path / "prometheus", ports) as server:
            asyncio.run(put_into_service(stack))
            until(lambda: adapter_answers(server), "an adapter that answers")
            asyncio.run(ship(stack))
            until(lambda: accounted(server) > 0, "a ledger that knows the shipped lines")
            settled = replay(stack, tmp_path / "sample")
            asyncio.run(speak(stack, settled))
            until(lambda: has_counted(server, settled), "feedback that counts")
            until(lambda: accounted(server) > LIVE_LINES, "a ledger at rest")
            until(
                lambda: not without_data(server),
                lambda: "data for\n" + "\n".join(without_data(server)),
            )
            check_variables(server)
            check_rules(server)


async def put_into_service(stack: Stack) -> None:
    """Release an adapter that the model server has."""
    release = ModelRelease(
        role=ModelRole.CHAMPION, backend="tgi", model="m", adapter=ADAPTER, released_ms=now_ms()
    )
    kafka, topic = stack.settings.kafka, stack.settings.topics.name(MODELS)
    async with started(make_producer(kafka), kafka) as producer:
        await producer.send_and_wait(topic, key=release.role.encode(), value=release.to_bytes())


async def ship(stack: Stack) -> None:
    """Write lines as a shipper does, without an end: for them there is a watermark."""
    kafka, topic = stack.settings.kafka, stack.settings.topics.name(LOGS_RAW)
    async with started(make_producer(kafka), kafka) as producer:
        for number in range(LIVE_LINES):
            record = {"fb_source": "live", "log": f"INFO request {number} answered in 12 ms"}
            key = f"default/default/live/{number % 12}".encode()
            await producer.send_and_wait(topic, key=key, value=json.dumps(record).encode())


def replay(stack: Stack, folder: Path) -> Settled:
    """Send the sample's lines and wait until all is judged and planned."""
    folder.mkdir()
    files = write_sample(folder)
    sources = [LogFile(path, f"default/default/{name}") for name, path in files.items()]
    send_files(stack.settings, sources)
    return asyncio.run(settle(stack.settings, SECONDS, lambda _: None, lambda: None))


async def speak(stack: Stack, settled: Settled) -> None:
    """Have people call verdicts right and wrong, and somebody send what is no feedback."""
    kafka, topic = stack.settings.kafka, stack.settings.topics.name(FEEDBACK)
    async with started(make_producer(kafka), kafka) as producer:
        for number, verdict in enumerate(settled.results.classifications.values()):
            word = Feedback(
                incident_id=verdict.incident_id,
                revision=verdict.revision,
                person=f"person-{number}",
                given_ms=now_ms(),
                category_correct=number % 3 > 0,
                model=verdict.judge.model,
                adapter=verdict.judge.adapter,
            )
            key = feedback_key(word).encode()
            await producer.send_and_wait(topic, key=key, value=word.to_bytes())
        await producer.send_and_wait(topic, key=b"broken", value=b'{"type": "feedback"}')


def adapter_answers(server: Prometheus) -> bool:
    return [s["value"][1] for s in server.now("min(opspilot_adapter_answers)")] == ["1"]


def has_counted(server: Prometheus, settled: Settled) -> bool:
    (counted,) = server.now("sum(opspilot_feedback_total)")
    letters = server.now('sum(opspilot_dead_letters_total{stage="drift"}) > 0')
    return bool(letters) and int(counted["value"][1]) >= len(settled.results.classifications)


def accounted(server: Prometheus) -> int:
    """Return how many records have a fate in the gauges; 0 while not all have."""
    received = server.now('sum(opspilot_ledger_records{fate="received"})')
    lines = server.now("sum(opspilot_lines_in_total)")
    at_rest = server.now("sum(abs(opspilot_ledger_difference_records)) == 0")
    known = int(received[0]["value"][1]) if received and at_rest else 0
    return known if known == int(lines[0]["value"][1]) else 0


def without_data(server: Prometheus) -> list[str]:
    """Return the queries that have no data in this run, and whose panel does not say why."""
    return [
        f"{name}: {panel['title']}: {query}"
        for name, board in DRAWN.items()
        for panel in board["panels"]
        for query in (filled(target["expr"]) for target in panel["targets"])
        if not ELSEWHERE.search(panel["description"]) and not server.course(query)
    ]


def check_variables(server: Prometheus) -> None:
    for board in DRAWN.values():
        for variable in board["templating"]["list"][1:]:
            found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
            assert found, variable["query"]
            assert server.values(found[2], filled(found[1])), variable["query"]
        (mark,) = board["annotations"]["list"]
        (release,) = server.now(mark["expr"])
        assert release["metric"] == {"role": "champion", "model": "m", "adapter": ADAPTER}
        assert expressions(board)


def check_rules(server: Prometheus) -> None:
    """Nothing that is critical is wrong with a run that went well; what was broken is said."""
    for rule in server.rules():
        assert rule["health"] == "ok", rule
    states = {r["name"]: r["state"] for r in server.rules() if r["type"] == "alerting"}
    severities = {
        r["name"]: r["labels"]["severity"] for r in server.rules() if r["type"] == "alerting"
    }
    critical = {name for name, severity in severities.items() if severity == "critical"}
    assert {name: states[name] for name in critical} == dict.fromkeys(critical, "inactive")
    assert states["OpsPilotDeadLetters"] == "firing"


def filled(expr: str) -> str:
    """Fill in the variables as Grafana does where all is chosen."""
    expr = expr.replace("$__rate_interval", "15s").replace("$__range", "10m")
    return re.sub(r"\$\{?\w+\}?", ".*", expr)


def until(holds: Callable[[], bool], what: str | Callable[[], str]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        if time.monotonic() > deadline:
            missing = what if isinstance(what, str) else what()
            pytest.fail(f"after {SECONDS:.0f} s there is still no {missing}", pytrace=False)
        time.sleep(0.5)
