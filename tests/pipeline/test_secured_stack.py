"""`opspilot up` on a Kafka with TLS and SCRAM-SHA-512 runs whole; who is wrong is told why."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from certificates import Authority

from opspilot.local.broker import BrokerOptions, EmbeddedBroker
from opspilot.local.ports import free_port
from opspilot.local.properties import SecuredListener
from opspilot.local.runtime import KafkaRuntime, ScramUser

pytestmark = pytest.mark.kafka
USER, SECRET, WRONG = "opspilot", "correct-horse-battery", "staple-of-the-wrong-kind"
MECHANISM = "SCRAM-SHA-512"
UP_SECONDS = 300
COMMAND_SECONDS = 180
STAGES = ("ingest", "analyze", "correlate", "classify", "recommend", "drift")


@dataclass(frozen=True)
class Secured:
    """The broker's TLS port, who may come in, and an authority that signed nothing of it."""

    address: str
    variables: Mapping[str, str]
    stranger: Path


@pytest.fixture(scope="module")
def secured(
    tmp_path_factory: pytest.TempPathFactory, kafka_runtime: KafkaRuntime
) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    authority, port = Authority(folder, "trusted"), free_port()
    server = authority.sign("server")
    listener = SecuredListener(
        "SECURED",
        port,
        "SASL_SSL",
        {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(server.store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(authority.file),
            "sasl.enabled.mechanisms": MECHANISM,
            "scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
        },
    )
    options = BrokerOptions(
        start_seconds=120.0,
        listeners=(listener,),
        scram_users=(ScramUser(USER, SECRET, MECHANISM),),
    )
    given = {
        "SECURITY_PROTOCOL": "SASL_SSL",
        "SASL_MECHANISM": MECHANISM,
        "SASL_USERNAME": USER,
        "SASL_PASSWORD": SECRET,
        "CA_FILE": str(authority.file),
    }
    variables = {f"OPSPILOT_KAFKA__{name}": value for name, value in given.items()}
    stranger = Authority(folder, "stranger").file
    with EmbeddedBroker(folder / "kafka", kafka_runtime, options):
        yield Secured(f"127.0.0.1:{port}", variables, stranger)


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OPSPILOT_")}
    return {**kept, **variables}


def call(secured: Secured, *arguments: str, **changes: str) -> tuple[int, str, str]:
    """Run a command as a person does; returns its status and what it said on both streams."""
    done = subprocess.run(
        [sys.executable, "-m", "opspilot", *arguments, "--kafka", secured.address],
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
        env=environment({**secured.variables, **changes}),
    )
    return done.returncode, done.stdout, done.stderr


def test_the_whole_stack_runs_and_lines_become_an_incident_with_its_plan(
    secured: Secured, tmp_path: Path
):
    log = tmp_path / "up.err"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "opspilot", "up", "--data", str(tmp_path / "data")),
                *("--kafka", secured.address),
            ],
            stdout=stream,
            stderr=stream,
            env=environment(secured.variables),
        )
    try:
        deadline = time.monotonic() + UP_SECONDS
        while not all(f"{stage}: ready" in log.read_text() for stage in STAGES):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        assert "topics created" in log.read_text()

        lines = [f"2026-03-10 06:00:{n:02d} INFO order saved\n" for n in range(60)]
        lines += [
            f"2026-03-10 06:01:{n:02d} ERROR could not reach database db-1:5432: refused\n"
            for n in range(30)
        ]
        (tmp_path / "shop.log").write_text("".join(lines))
        status, said, _ = call(secured, "replay", str(tmp_path / "shop.log"))
        assert (status, said[:14]) == (0, "90 lines sent "), said
        status, plan, _ = call(
            secured, "tail", "remediations", "--json", "--from-beginning", "--count", "1"
        )
        assert status == 0
        status, found, _ = call(
            secured, "tail", "incidents", "--json", "--from-beginning", "--count", "1"
        )
        assert status == 0
        incident = json.loads(found)
        assert incident["service"] == "default/default/shop"
        assert json.loads(plan)["incidentId"] == incident["id"]
        assert json.loads(plan)["steps"]

        total: dict[str, object] = {"unread": 1}
        while total["unread"]:
            assert time.monotonic() < deadline, total
            status, told, error = call(secured, "ledger", "--json", "--wait", "60")
            assert status == 0, error
            total = json.loads(told.splitlines()[-1])
        assert total["balanced"] is True
        assert total["counted"] == 90
        for command in (["topics", "list"], ["doctor"]):
            assert call(secured, *command)[0] == 0, command
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(UP_SECONDS) == 0
    for path in (log, *(tmp_path / "data").rglob("*.log")):
        assert SECRET not in path.read_text(errors="replace"), path


MISTAKES = {
    "a wrong password": ({"SASL_PASSWORD": WRONG}, f"refused '{USER}' with {MECHANISM}"),
    "an authority that is not the broker's": (
        {"CA_FILE": "STRANGER"}, "check OPSPILOT_KAFKA__CA_FILE",
    ),
    "plain text to a TLS port": (
        {"SECURITY_PROTOCOL": "PLAINTEXT"}, "OPSPILOT_KAFKA__SECURITY_PROTOCOL",
    ),
}  # fmt: skip
COMMANDS = ("up", "topics list", "worker ingest", "worker correlate", "trainer")


@pytest.mark.parametrize("command", [*COMMANDS, "doctor"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_who_cannot_come_in_is_told_why_in_one_sentence(
    secured: Secured, mistake: str, command: str, tmp_path: Path
):
    wrong, sentence = MISTAKES[mistake]
    changes = {
        f"OPSPILOT_KAFKA__{name}": str(secured.stranger) if value == "STRANGER" else value
        for name, value in wrong.items()
    }
    given = ["up", "--data", str(tmp_path)] if command == "up" else command.split()
    status, out, said = call(secured, *given, **changes)
    assert status == 1, said
    told = [line for line in said.splitlines() if line.startswith("opspilot: ")]
    assert len(told) == 1, said
    if command == "doctor":
        (told[0],) = [line for line in out.splitlines() if line.startswith("WRONG broker")]
    elif command == "up":
        assert said.splitlines()[0] == "OpsPilot starts; Ctrl-C stops it"
        assert len(said.splitlines()) == 2, said
    else:
        assert len(said.splitlines()) == 1, said
    assert sentence in told[0], said
    assert "Traceback" not in said
    assert SECRET not in said + out
    assert WRONG not in said + out
