"""docker-compose.yml without an engine: its commands run as plain processes on a real Kafka.

Each OpsPilot service is started with the command and environment that the file gives it; only
addresses, ports and folders are put in the place of the containers'. Lines come in every shape that
Fluent Bit writes, and each service that fails must become an incident with a plan.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "deploy"))

from composefile import ROOT, compose_file, env_file, own_services
from stages import WAIT_SECONDS, Follower, send

from opspilot.local.ports import free_port
from opspilot.local.process import ChildProcess
from schemas.incident import Incident
from schemas.remediation import RemediationPlan
from schemas.topics import INCIDENTS, LOGS_RAW, REMEDIATIONS
from streams.settings import KafkaSettings, Settings, TopicSettings

pytestmark = pytest.mark.kafka

PARTITIONS = 2
PAUSE_SECONDS = 0.5
HEALTHY_ROUNDS = 8
POD = {"pod_name": "kube-1", "namespace_name": "shop", "labels": {"app": "kube"}}
FILE_VARIABLES = {
    f"OPSPILOT_TOPICS__{width}_PARTITIONS": str(PARTITIONS)
    for width in ("RAW", "DIGEST", "INCIDENT")
}


def otlp(service: str, stamp: str, text: str) -> dict[str, Any]:
    """Return a record as Fluent Bit's `otlp_json` writes it."""
    nanoseconds = int(datetime.fromisoformat(stamp).timestamp() * 1000) * 1_000_000
    attributes = [{"key": "service.name", "value": {"stringValue": service}}]
    record = {"timeUnixNano": str(nanoseconds), "body": {"stringValue": text}}
    scopes = [{"scope": {}, "logRecords": [record]}]
    return {"resourceLogs": [{"resource": {"attributes": attributes}, "scopeLogs": scopes}]}


SHAPES: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "tail": lambda stamp, text: {
        **{"fb_ts": stamp, "fb_path": "/var/log/opspilot/tail.log"},
        **{"log": text, "fb_source": "tail"},
    },
    "cri": lambda stamp, text: {
        **{"fb_ts": stamp, "stream": "stdout", "_p": "F", "time": stamp},
        **{"log": text, "fb_source": "cri"},
    },
    "docker": lambda stamp, text: {
        **{"fb_ts": stamp, "stream": "stderr", "time": stamp},
        **{"log": text + "\n", "fb_source": "docker"},
    },
    "kube": lambda stamp, text: {
        **{"fb_ts": stamp, "stream": "stdout", "time": stamp, "log": text, "kubernetes": POD},
    },
    "journal": lambda stamp, text: {
        **{"fb_ts": stamp, "_SYSTEMD_UNIT": "journal.service", "_HOSTNAME": "h1"},
        **{"MESSAGE": text, "PRIORITY": "3" if "ERROR" in text else "6"},
    },
    "gelf": lambda stamp, text: {
        **{"version": "1.1", "short_message": text, "host": "h1", "_service": "gelf"},
        "timestamp": datetime.fromisoformat(stamp).timestamp(),
    },
    "otlp": lambda stamp, text: otlp("otlp", stamp, text),
}


class ComposeProcess:
    """One service of the file as a process; a context manager that ends it."""

    def __init__(
        self,
        name: str,
        service: dict[str, Any],
        bootstrap: str,
        prefix: str,
        folder: Path,
        variables: dict[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name, self.service = name, service
        self.port = free_port()
        self.log_path = folder / f"{name}.log"
        self.environment = {
            **{k: os.environ[k] for k in ("PATH", "HOME") if k in os.environ},
            **service["environment"],
            "OPSPILOT_KAFKA__BOOTSTRAP": bootstrap,
            "OPSPILOT_TOPICS__PREFIX": prefix,
            "OPSPILOT_WORKER__HOST": "127.0.0.1",
            "OPSPILOT_WORKER__PORT": str(self.port),
            "OPSPILOT_WORKER__DATA_FOLDER": str(folder / name),
            **(variables or {}),
        }
        assert service["environment"]["OPSPILOT_KAFKA__BOOTSTRAP"] == "kafka:19092"
        self.command = (sys.executable, "-m", "opspilot", *service["command"])

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def run(self) -> None:
        """Run a service that ends by itself, to its end."""
        done = subprocess.run(
            self.command,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=WAIT_SECONDS,
        )
        assert done.returncode == 0, done.stderr

    def __enter__(self) -> "ComposeProcess":
        self.child = ChildProcess(self.command, self.log_path, self.environment)
        return self

    def __exit__(self, *_details: object) -> None:
        self.child.stop(30.0)

    def wait_healthy(self) -> None:
        """Wait until the file's own health check says so."""
        kind, program, *arguments = self.service["healthcheck"]["test"]
        assert (kind, program) == ("CMD", "python")
        probe = [sys.executable, *(a.replace(":8080/", f":{self.port}/") for a in arguments)]
        deadline = time.monotonic() + WAIT_SECONDS
        while subprocess.run(probe, capture_output=True, check=False).returncode:
            assert self.child.exit_code() is None, self.log[-3000:]
            assert time.monotonic() < deadline, f"{self.name} is not healthy: {self.log[-3000:]}"
            time.sleep(0.5)


@pytest.fixture
def stack(broker: Any, topic_prefix: str, tmp_path: Path) -> Iterator[Settings]:
    document = compose_file(FILE_VARIABLES)
    services = {n: s for n, s in own_services(document).items() if "profiles" not in s}
    assert (
        f"ENTRYPOINT {json.dumps(['python', '-m', 'opspilot'])}"
        in (ROOT / "Dockerfile").read_text()
    )
    processes = {
        name: ComposeProcess(name, service, broker.bootstrap, topic_prefix, tmp_path)
        for name, service in services.items()
    }
    processes.pop("topics").run()
    with ExitStack() as running:
        started = [running.enter_context(process) for process in processes.values()]
        for process in started:
            process.wait_healthy()
        yield Settings(
            kafka=KafkaSettings(bootstrap=broker.bootstrap),
            topics=TopicSettings(
                prefix=topic_prefix,
                raw_partitions=PARTITIONS,
                digest_partitions=PARTITIONS,
                incident_partitions=PARTITIONS,
            ),
        )


async def test_every_shape_of_fluent_bit_becomes_an_incident_with_a_plan(stack: Settings) -> None:
    ended = asyncio.Event()
    writer = asyncio.create_task(write_lines(stack, ended))
    try:
        incidents: dict[str, Incident] = {}
        async with Follower(stack, INCIDENTS) as follower:
            await follower.until(
                lambda values: covers([Incident.from_bytes(v).service for v in values]),
                "incident of each shape",
            )
            for value in follower.values:
                incident = Incident.from_bytes(value)
                incidents[incident.id] = incident
        async with Follower(stack, REMEDIATIONS) as follower:
            await follower.until(
                lambda values: covers([RemediationPlan.from_bytes(v).service for v in values]),
                "plan of each shape",
            )
            plans = [RemediationPlan.from_bytes(value) for value in follower.values]
    finally:
        ended.set()
        await writer
    assert {plan.incident_id for plan in plans} & set(incidents)
    for plan in plans:
        assert plan.steps, plan.service
    # What Fluent Bit says of the writer is not lost: the pod's namespace names the service.
    assert any(i.service.endswith("/shop/kube") for i in incidents.values())


def covers(services: list[str]) -> bool:
    """Tell whether there is one service of each shape."""
    names = {service.rpartition("/")[2] for service in services}
    return set(SHAPES) <= names


async def write_lines(settings: Settings, ended: asyncio.Event) -> None:
    """Write as live sources do: some healthy seconds, then errors until told to end."""
    number = 0
    while not ended.is_set():
        number += 1
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        lines = []
        for name, shape in SHAPES.items():
            text = f"INFO request served in {number} ms"
            if number > HEALTHY_ROUNDS:
                # Each a database of its own: those that fail at the same one are one incident.
                database = f"db-of-{name}.internal:5432"
                text = f"ERROR could not reach database {database}: connection refused ({number})"
            record = shape(stamp, text)
            key = record.get("fb_source")
            lines.append((key.encode() if key else None, json.dumps(record).encode()))
        await send(settings.kafka.bootstrap, settings.topics.name(LOGS_RAW), lines)
        await asyncio.sleep(PAUSE_SECONDS)


def test_the_small_model_is_where_its_profile_says(tmp_path: Path) -> None:
    chosen = env_file(ROOT / "deploy/compose/cpu-llm.env")
    document = compose_file(chosen)
    judges = document["services"]["classify"]["environment"]
    host, port = judges["OPSPILOT_MODEL__URL"].split("/")[2].split(":")
    service = document["services"][host]
    assert chosen["COMPOSE_PROFILES"] in service["profiles"]
    assert service["environment"]["OPSPILOT_MODEL__LOCAL_PORT"] == port
    here = free_port()
    moved = {
        "OPSPILOT_MODEL__LOCAL_HOST": "127.0.0.1",
        "OPSPILOT_MODEL__LOCAL_PORT": str(here),
        "OPSPILOT_MODEL__LOCAL_ADAPTER_FOLDER": str(tmp_path / "adapters"),
        # The model that other tests have put together already.
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
    }
    with ComposeProcess(host, service, "127.0.0.1:1", "", tmp_path, moved) as model:
        model.wait_healthy()
        url = judges["OPSPILOT_MODEL__URL"].replace(f"{host}:{port}", f"127.0.0.1:{here}")
        with urllib.request.urlopen(f"{url}/models", timeout=30) as response:
            assert json.load(response)["data"]


@pytest.mark.parametrize(
    ("name", "profile"),
    [("trainer", "gpu"), ("trainer-cpu", "cpu-learn"), ("trainer-baseline", "learn")],
)
def test_the_trainer_takes_its_place_and_leaves_it_when_told(
    name: str, profile: str, broker: Any, topic_prefix: str, tmp_path: Path
) -> None:
    document = compose_file(FILE_VARIABLES | env_file(ROOT / f"deploy/compose/{profile}.env"))
    service = document["services"][name]
    assert service["profiles"] == [profile]
    topics = document["services"]["topics"]
    ComposeProcess("topics", topics, broker.bootstrap, topic_prefix, tmp_path).run()
    moved = {
        variable: value.replace("/models", str(tmp_path / "models"), 1)
        for variable, value in service["environment"].items()
        if value.startswith("/models")
    } | {"OPSPILOT_TRAINING__FOLDER": str(tmp_path / "training")}
    process = ComposeProcess(name, service, broker.bootstrap, topic_prefix, tmp_path, moved)
    with process as trainer:
        trainer.wait_healthy()
        with urllib.request.urlopen(f"http://127.0.0.1:{trainer.port}/metrics", timeout=30) as got:
            assert 'opspilot_training_results_total{state="failed"} 0.0' in got.read().decode()
        trainer.child.stop(30.0)
        assert trainer.child.exit_code() == 0, trainer.log[-3000:]
