"""`opspilot up` and the commands around it, as a person uses them one after the other."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from opspilot.local.ports import free_port
from schemas.incident import Incident
from streams.kafka import make_producer, started
from streams.settings import KafkaSettings

pytestmark = pytest.mark.kafka

UP_SECONDS = 300
COMMAND_SECONDS = 300
STAGES = ("ingest", "analyze", "correlate", "classify", "recommend")
RAW = "opspilot.logs.raw"
POISON = b'{"log": "password=hunter2 and no end'


def environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("OPSPILOT_")}


class Up:
    """A running `opspilot up`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"127.0.0.1:{free_port()}"
        self.log = folder / "up.err"
        port = self.address.rpartition(":")[2]
        with self.log.open("wb") as stream:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "opspilot", "up"),
                    *("--data", str(folder / "data"), "--port", port),
                ],
                stderr=stream,
                stdout=stream,
                env=environment(),
            )

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_ready(self) -> None:
        deadline = time.monotonic() + UP_SECONDS
        while not all(f"{stage}: ready" in self.said for stage in STAGES):
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.2)

    def call(self, *arguments: str) -> str:
        """Run a command against it; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "opspilot", *arguments, "--kafka", self.address],
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
            env=environment(),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def up(kafka_runtime: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("up"))
    try:
        running.wait_ready()
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()


def test_what_is_reported_becomes_an_incident(up: Up) -> None:
    words = "Customers cannot pay by card, says jane@example.org"
    incident_id = up.call("submit", words, "--service", "checkout").strip()
    line = up.call("tail", "incidents", "--json", "--from-beginning", "--count", "1")
    incident = Incident.from_bytes(line.encode())
    assert incident.id == incident_id
    assert incident.description is not None
    assert incident.description.startswith("Customers cannot pay by card")
    assert "jane@example.org" not in line
    plan = up.call("tail", "remediations", "--from-beginning", "--count", "1")
    assert incident_id in plan


def test_lines_and_poison_are_all_accounted_for(up: Up, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("".join(f"2026-03-10 06:00:{n:02d} INFO tick {n}\n" for n in range(60)))
    assert "60 lines sent" in up.call("replay", str(path), "--service", "shop/app")
    asyncio.run(_send_raw(up.address, POISON))

    total = _ledger(up)
    assert total["balanced"] is True
    assert total["deadLettered"] == 1
    listed = up.call("dead-letters", "list")
    place = next(word for word in listed.split() if word.startswith(f"{RAW}/"))
    shown = up.call("dead-letters", "show", place)
    assert "stage: ingest" in shown
    assert "hunter2" not in shown

    assert "1 dead letters sent back" in up.call("dead-letters", "replay", place)
    total = _ledger(up)
    assert total["balanced"] is True
    # What comes back is still poison: it is set aside again, and counted as what it is.
    assert total["deadLettered"] == 2
    # 60 lines, the poison twice, and an end-of-input mark on each of 6 partitions.
    assert total["received"] == 68


def _ledger(up: Up) -> dict[str, object]:
    """Return the total; a balance may be that of a moment ago, so ask until all is read."""
    deadline = time.monotonic() + COMMAND_SECONDS
    while True:
        text = up.call("ledger", "--json", "--wait", "60")
        total: dict[str, object] = json.loads(text.splitlines()[-1])
        if total["unread"] == 0:
            return total
        assert time.monotonic() < deadline, text


async def _send_raw(address: str, value: bytes) -> None:
    kafka = KafkaSettings(bootstrap=address)
    async with started(make_producer(kafka), kafka) as producer:
        await producer.send_and_wait(RAW, value=value, key=b"default/shop/app/x", partition=0)


def test_the_topics_are_listed_as_they_must_be(up: Up) -> None:
    listed = up.call("topics", "list")
    assert RAW in listed
    assert "missing" not in listed
    assert "differs" not in listed
    assert "kept for ever" in up.call("topics", "describe")
    assert "are as the map says" in up.call("doctor")


def test_a_process_that_is_killed_comes_back(up: Up) -> None:
    found = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(up.process.pid)],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [row.split(None, 1) for row in found.stdout.splitlines()]
    (victim,) = [int(pid) for pid, command in rows if command.endswith("worker classify")]
    os.kill(victim, signal.SIGKILL)
    deadline = time.monotonic() + UP_SECONDS
    while "classify: ready" not in up.said.rpartition("classify: waiting to restart")[2]:
        assert time.monotonic() < deadline, up.said
        time.sleep(0.2)


def test_ctrl_c_drains_and_stops_with_status_zero(up: Up) -> None:
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(UP_SECONDS) == 0
    assert up.said.rstrip().endswith("stopped")
    assert "Traceback" not in up.said
    left = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=True).stdout
    assert str(up.folder / "data" / "kafka") not in left
