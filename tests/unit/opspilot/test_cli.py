"""The command line without Kafka: help, mistakes, and what the environment gets."""

import importlib
import os

import pytest

from opspilot import cli


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cli.KAFKA_VARIABLE, "127.0.0.1:1")


# `eval` is a group whose commands have their own examples.
@pytest.mark.parametrize("command", [name for name in cli.COMMANDS if name != "eval"])
def test_every_command_explains_itself_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert "Example: opspilot" in " ".join(said.split())
    assert "completion" not in said


@pytest.mark.parametrize(
    ("group", "commands"),
    [("topics", ["create", "list", "describe"]), ("dead-letters", ["list", "show", "replay"])],
)
def test_sub_commands_explain_themselves(
    group: str, commands: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for command in commands:
        assert cli.run([group, command, "--help"]) == 0
        assert f"Example: opspilot {group} {command}" in capsys.readouterr().out


def test_the_overview_imports_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in cli.COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nonsense"], "no such command 'nonsense'; see `opspilot --help`"),
        (["replay"], "missing argument"),
        (["worker", "barista"], "'barista' is not one of 'ingest'"),
        (["demo", "--nonsense"], "no such option: --nonsense"),
        (["dead-letters"], "missing command"),
        (["tail", "--count", "0"], "--count"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == 2
    said = capsys.readouterr()
    assert expected in said.err
    assert said.err.startswith("opspilot: ")
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_a_group_without_command_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["eval"]) == 2
    assert "\nCommands:\n" in capsys.readouterr().err


def test_kafka_may_stand_anywhere_and_reaches_the_settings() -> None:
    assert cli.take_kafka(["tail", "--kafka", "one:1", "incidents"]) == ["tail", "incidents"]
    assert os.environ[cli.KAFKA_VARIABLE] == "one:1"
    assert cli.take_kafka(["--kafka=two:2", "ledger"]) == ["ledger"]
    assert os.environ[cli.KAFKA_VARIABLE] == "two:2"


def test_kafka_after_the_double_dash_is_not_ours() -> None:
    assert cli.take_kafka(["submit", "--", "--kafka"]) == ["submit", "--", "--kafka"]
    assert os.environ[cli.KAFKA_VARIABLE] == "127.0.0.1:1"


def test_kafka_without_address_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["tail", "--kafka"]) == 1
    assert "--kafka needs an address" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["tail", "gossip"], "topic 'gossip' cannot be followed: choose one of"),
        (["submit", "  ", "--service", "a"], "the description is empty"),
        (["submit", "broken", "--service", "a b"], "service 'a b' is not NAME"),
        (["replay", "/nowhere/app.log"], "/nowhere/app.log does not exist"),
        (["demo", "--logs", "/nowhere/app.log"], "/nowhere/app.log does not exist"),
        (["replay", "/nowhere/app.log", "--speed", "0"], "--speed 0: must be a number above 0"),
        (["replay", "/nowhere/app.log", "--speed", "nan"], "--speed nan: must be a number above"),
        (["replay", "/nowhere/app.log", "--speed", "inf"], "--speed inf: must be a number above"),
        (["tail", "--kafka", "a b:1"], "'a b:1' is not HOST:PORT"),
        (["tail", "--kafka", "http://x:9092"], "'http://x:9092' is not HOST:PORT"),
        (["dead-letters", "replay"], "name the dead letters to replay, or use --all"),
        (["up", "--ingest", "0"], "--ingest 0: at least 1 process is needed"),
        (["up", "--ingest", "99"], "its source has 6 partitions"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_runs(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == 1
    assert expected in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["up", "--port", "70000"], "'--port': must be less than or equal to 65535;"),
        (["up", "--port", "0"], "'--port': must be greater than or equal to 1;"),
        (["up", "--ingest", "two"], "'--ingest': must be a valid integer;"),
        (["demo", "--timeout", "-5"], "'--timeout': must be greater than or equal to 1;"),
        (["replay", "a.log", "--speed", "fast"], "'--speed': must be a valid number;"),
        (["worker", "ingets"], "'ingets' is not one of 'ingest'"),
    ],
)
def test_an_option_that_cannot_be_is_said_with_its_help(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == 2
    said = capsys.readouterr().err
    assert expected in said
    assert f"see `opspilot {arguments[0]} --help`" in said
    assert len(said.strip().splitlines()) == 1


def test_a_setting_that_is_wrong_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPSPILOT_TOPICS__RAW_PARTITIONS", "many")
    assert cli.run(["ledger"]) == 1
    assert "OPSPILOT_TOPICS__RAW_PARTITIONS='many'" in capsys.readouterr().err


def test_a_secret_in_the_environment_is_not_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPSPILOT_KAFKA__SECURITY_PROTOCOL", "SASL_PLAINTEXT")
    monkeypatch.setenv("OPSPILOT_KAFKA__SASL_PASSWORD", "not-to-be-shown")
    assert cli.run(["ledger"]) == 1
    said = capsys.readouterr().err
    assert "OPSPILOT_KAFKA__SASL_USERNAME" in said
    assert "not-to-be-shown" not in said


def test_interrupted_and_broken_pipes_have_their_own_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = importlib.import_module("opspilot.commands.ledger")
    for raised, status in ((KeyboardInterrupt, 130), (BrokenPipeError, 0)):

        def fail(raised: type[BaseException] = raised) -> None:
            raise raised

        monkeypatch.setattr(module, "load_settings", fail)
        stdout = cli.sys.stdout
        try:
            assert cli.run(["ledger"]) == status
        finally:
            cli.sys.stdout = stdout
