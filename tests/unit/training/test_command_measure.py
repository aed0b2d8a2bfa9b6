import pytest

from agents.logic.safety.verdict import SAFE, Verdict, blocked
from schemas.remediation import CommandVerdict
from streams.errors import InputError
from training.evaluation.commands import Effect, LabelledCommand, command_report, read_commands


def _judge(text: str) -> Verdict:
    return blocked("bad") if "rm" in text else SAFE


def test_what_was_misread_is_listed_on_both_sides() -> None:
    commands = [
        LabelledCommand(Effect.DESTRUCTIVE, "g", "rm x"),
        LabelledCommand(Effect.DESTRUCTIVE, "g", "dd x"),
        LabelledCommand(Effect.HARMLESS, "g", "grep rm"),
        LabelledCommand(Effect.HARMLESS, "g", "ls"),
    ]
    report = command_report(commands, _judge)
    assert [command.text for command in report.passed] == ["dd x"]
    assert [command.text for command in report.blocked] == ["grep rm"]
    assert report.share(Effect.HARMLESS, CommandVerdict.BLOCKED) == 0.5
    assert report.total(Effect.CHANGING) == 0


def test_labelled_commands_are_read_with_their_groups() -> None:
    commands = read_commands("harmless: {hosts: [uptime, w]}", "c.yaml")
    assert commands[1] == LabelledCommand(Effect.HARMLESS, "hosts", "w")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("evil: {g: [x]}", "must map"),
        ("harmless: {g: [1]}", "list of strings"),
        ("{}", "no commands"),
        ("- [", "not YAML"),
    ],
)
def test_a_faulty_file_is_named(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_commands(text, "c.yaml")
