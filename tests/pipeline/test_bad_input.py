"""What people get wrong: each gets one clear sentence, a status that is not zero, no traceback."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running_broker import RunningBroker

from opspilot import cli
from opspilot.local import java as java_module
from opspilot.local.broker import BrokerOptions, EmbeddedBroker
from opspilot.local.ports import free_port
from opspilot.local.properties import SecuredListener
from opspilot.local.runtime import KafkaRuntime

COMMAND_SECONDS = 180


def opspilot(*arguments: str, **variables: str) -> tuple[int, str]:
    """Run a command as a person does; returns its status and what it said on the error stream."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OPSPILOT_")}
    done = subprocess.run(
        [sys.executable, "-m", "opspilot", *arguments],
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
        env={**kept, **variables},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr


def last_line(said: str) -> str:
    return said.strip().splitlines()[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["ledger"],
        ["tail"],
        ["topics", "list"],
        ["topics", "create"],
        ["dead-letters", "list"],
        ["submit", "broken", "--service", "a"],
        ["worker", "ingest"],
        ["worker", "classify"],
        ["demo"],
    ],
    ids=" ".join,
)
def test_a_wrong_broker_address_is_said(arguments: list[str]) -> None:
    address = f"127.0.0.1:{free_port()}"
    status, said = opspilot(*arguments, "--kafka", address)
    assert status == 1
    assert address in last_line(said)
    assert last_line(said).startswith("opspilot: ")


@pytest.mark.parametrize("address", ["nonsense", "host:port", "host:99999"])
def test_an_address_that_is_none_is_said(address: str) -> None:
    status, said = opspilot("demo", "--kafka", address)
    assert status == 1
    assert "is not HOST:PORT" in last_line(said)


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, said = opspilot("up", "--data", str(tmp_path), "--port", str(port))
    assert status == 1
    assert f"port {port} on 127.0.0.1 is in use" in last_line(said)


def test_a_full_disk_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1 << 20))
    monkeypatch.delenv(cli.KAFKA_VARIABLE, raising=False)
    assert cli.run(["up", "--data", str(tmp_path), "--port", str(free_port())]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "is full (1 MiB free" in said
    assert "name a data directory on another disk" in said


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    status, said = opspilot("up", "--data", str(tmp_path / "file" / "data"))
    assert status == 1
    assert "cannot be made" in last_line(said)


def test_no_java_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv(cli.KAFKA_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(java_module, "_bundled_java", lambda: None)
    for command in (["up", "--data", str(tmp_path / "data")], ["demo"]):
        assert cli.run(command) == 1
        said = capsys.readouterr().err
        assert "no Java 17 or newer was found" in last_line(said)
        assert "JAVA_HOME" in last_line(said)
    assert cli.run(["doctor"]) == 1
    assert "java" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "does not exist"), (b"", "is empty"), (b"\x7fELF\0\0\1\2", "is binary")],
)
def test_a_file_that_is_no_log_is_said(
    tmp_path: Path, content: bytes | None, expected: str
) -> None:
    path = tmp_path / "app.log"
    if content is not None:
        path.write_bytes(content)
    for command in (["replay", str(path)], ["demo", "--logs", str(path)]):
        status, said = opspilot(*command)
        assert status == 1
        assert f"{path} {expected}" in last_line(said)


@pytest.mark.kafka
def test_a_kafka_that_dies_under_its_stack_is_said(tmp_path: Path, kafka_runtime: object) -> None:
    log = tmp_path / "up.err"
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OPSPILOT_")}
    command = ["up", "--data", str(tmp_path / "data"), "--port", str(free_port())]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "opspilot", *command], stdout=stream, stderr=stream, env=kept
        )
    try:
        overdue = time.monotonic() + COMMAND_SECONDS
        while "drift: starting" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < overdue, log.read_text()
            time.sleep(0.1)
        children = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(process.pid)],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        (broker,) = [line.split()[0] for line in children.splitlines() if "kafka.Kafka" in line]
        os.kill(int(broker), signal.SIGKILL)
        assert process.wait(COMMAND_SECONDS) == 1
    finally:
        process.kill()
        process.wait()
    said = log.read_text()
    assert last_line(said).startswith("opspilot: Kafka on 127.0.0.1:")
    assert "has ended (killed by signal 9)" in last_line(said)
    assert "Traceback" not in said


@pytest.mark.kafka
def test_topics_that_are_not_there_are_said(broker: RunningBroker, topic_prefix: str) -> None:
    for command in (["ledger"], ["tail"], ["dead-letters", "list"]):
        status, said = opspilot(
            *command, "--kafka", broker.bootstrap, OPSPILOT_TOPICS__PREFIX=topic_prefix
        )
        assert status == 1
        assert "run `opspilot topics create`" in last_line(said)


@pytest.mark.kafka
def test_a_topic_with_another_width_is_said_never_changed(
    broker: RunningBroker, topic_prefix: str
) -> None:
    own = {"OPSPILOT_TOPICS__PREFIX": topic_prefix}
    at = ("--kafka", broker.bootstrap)
    assert opspilot("topics", "create", *at, **own)[0] == 0
    for command in (["topics", "create"], ["topics", "list"], ["worker", "analyze"]):
        status, said = opspilot(*command, *at, **own, OPSPILOT_TOPICS__DIGEST_PARTITIONS="12")
        assert status == 1
        assert f"topic {topic_prefix}logs.digests has 6 partitions, the settings say 12" in said
    assert opspilot("topics", "list", *at, **own)[0] == 0


@pytest.mark.kafka
def test_a_broker_that_wants_a_login_is_said(tmp_path: Path, kafka_runtime: KafkaRuntime) -> None:
    port = free_port()
    login = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_ann="right";'
    listener = SecuredListener(
        "SECURED",
        port,
        "SASL_PLAINTEXT",
        {"sasl.enabled.mechanisms": "PLAIN", "plain.sasl.jaas.config": login},
    )
    options = BrokerOptions(start_seconds=120.0, listeners=(listener,))
    at = ("--kafka", f"127.0.0.1:{port}")
    credentials = {
        "OPSPILOT_KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "OPSPILOT_KAFKA__SASL_MECHANISM": "PLAIN",
        "OPSPILOT_KAFKA__SASL_USERNAME": "ann",
    }
    with EmbeddedBroker(tmp_path / "kafka", kafka_runtime, options):
        status, said = opspilot("topics", "list", *at)
        assert status == 1
        assert "OPSPILOT_KAFKA__SECURITY_PROTOCOL" in last_line(said)
        wrong = {**credentials, "OPSPILOT_KAFKA__SASL_PASSWORD": "not-this-one"}
        status, said = opspilot("topics", "list", *at, **wrong)
        assert status == 1
        assert "refused 'ann'" in last_line(said)
        assert "not-this-one" not in said
        right = {**credentials, "OPSPILOT_KAFKA__SASL_PASSWORD": "right"}
        assert opspilot("topics", "create", *at, **right)[0] == 0
