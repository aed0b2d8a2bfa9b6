"""The commands stand in commands/*.txt, one a line, written for this test; none is ever run."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.logic.safety.parsing import (
    COMMAND_MAX_CHARS,
    Command,
    UnreadableCommandError,
    parse_script,
)
from agents.logic.safety.policy import MAX_NESTING, judge_command
from schemas.remediation import CommandVerdict

BLOCKED_CHARACTERS = [
    "ls\u200b",
    "\u0440m -rf /",
    "ls \u2014la",
    "cat\u00a0x",
    "ls\x1b[2K",
    "ls\r\nreboot",
    "ls\x00",
    "",
    "   ",
    "# only a comment",
    "(",
    "ls -l\nrm -rf /x",
    "ls \\\n&& rm -rf /x",
    "cat <<EOF\nx\nEOF",
    "a" * (COMMAND_MAX_CHARS + 1),
]


def _cases(name: str) -> list[str]:
    return (Path(__file__).parent / "commands" / f"{name}.txt").read_text().splitlines()


@pytest.mark.parametrize("command", _cases("safe"))
def test_a_command_that_only_reads_is_safe(command: str) -> None:
    verdict = judge_command(command)
    assert verdict.verdict is CommandVerdict.SAFE, verdict.reason


@pytest.mark.parametrize("command", _cases("needs_approval"))
def test_a_command_that_changes_state_needs_approval(command: str) -> None:
    verdict = judge_command(command)
    assert verdict.verdict is CommandVerdict.NEEDS_APPROVAL, verdict.reason
    assert verdict.reason


@pytest.mark.parametrize("command", _cases("blocked") + BLOCKED_CHARACTERS)
def test_a_destructive_unknown_or_unreadable_command_is_blocked(command: str) -> None:
    verdict = judge_command(command)
    assert verdict.verdict is CommandVerdict.BLOCKED, verdict.reason
    assert verdict.reason


@pytest.mark.parametrize(
    "wrapper", ["sudo", "env", "nohup", "timeout 9", "nice", "time", "sudo -n"]
)
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("ls /var", CommandVerdict.SAFE),
        ("systemctl restart nginx", CommandVerdict.NEEDS_APPROVAL),
        ("rm -rf /var", CommandVerdict.BLOCKED),
    ],
)
def test_a_wrapper_is_judged_by_what_it_runs(
    wrapper: str, command: str, expected: CommandVerdict
) -> None:
    assert judge_command(f"{wrapper} {command}").verdict is expected


def test_words_that_only_contain_a_dangerous_name_are_not_dangerous() -> None:
    assert judge_command("grep 'rm -rf' /var/log/audit.log").verdict is CommandVerdict.SAFE
    assert judge_command("cat /opt/rm/dd/mkfs.log").verdict is CommandVerdict.SAFE
    assert judge_command("echo 'drop table x; FLUSHALL'").verdict is CommandVerdict.SAFE


def test_the_worst_command_of_a_line_decides() -> None:
    assert judge_command("ls; df -h").verdict is CommandVerdict.SAFE
    assert judge_command("ls; systemctl restart x").verdict is CommandVerdict.NEEDS_APPROVAL
    assert judge_command("ls; systemctl restart x; rm x").verdict is CommandVerdict.BLOCKED


def test_nesting_is_bounded() -> None:
    assert judge_command("sudo " * MAX_NESTING + "ls").verdict is CommandVerdict.SAFE
    too_deep = judge_command("sudo " * (MAX_NESTING + 1) + "ls")
    assert too_deep.verdict is CommandVerdict.BLOCKED
    assert "deep" in too_deep.reason


@pytest.mark.parametrize("piece", ["ls&&", "(", "ls || ", "$(", "{ ", "! "])
def test_a_long_chain_is_refused_and_not_a_crash(piece: str) -> None:
    assert judge_command(piece * 300 + "ls").verdict is CommandVerdict.BLOCKED


def test_a_reason_names_what_is_wrong() -> None:
    assert "rm" in judge_command("sudo rm -rf /").reason
    assert "U+0440" in judge_command("\u0440m -rf /").reason
    assert "/etc/passwd" in judge_command("echo x > /etc/passwd").reason
    assert "variable" in judge_command("ls $HOME").reason


def test_words_are_read_as_the_shell_passes_them() -> None:
    script = parse_script("""psql -h 'a b' -c "select \\"x\\"" | head -n 5 2>/dev/null""")
    first, second = script.pipelines[0]
    assert first.words == ("psql", "-h", "a b", "-c", 'select "x"')
    assert not first.reads_input
    assert second.words == ("head", "-n", "5")
    assert second.reads_input


def test_a_continued_line_is_one_command() -> None:
    assert parse_script("ls \\\n  -l").pipelines == ((Command(("ls", "-l")),),)


def test_patterns_and_assignments_are_kept_apart() -> None:
    command = next(parse_script("TZ=UTC ls '*.log' *.txt").commands())
    assert command.assignments == (("TZ", "UTC"),)
    assert command.globs == ("*.txt",)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("ls $(id)", "another command"),
        ("for i in 1; do ls; done", "loop"),
        ("x() { ls; }", "function"),
        ("ls &", "background"),
        ("ls 'x", "parsed"),
        ("ls {1..3}", "braces"),
    ],
)
def test_unreadable_text_says_why(text: str, part: str) -> None:
    with pytest.raises(UnreadableCommandError, match=part):
        parse_script(text)


_PIECES = st.sampled_from(
    [
        "ls",
        "rm",
        "-rf",
        "/",
        "$(",
        ")",
        "`",
        "'",
        '"',
        "|",
        ";",
        "&&",
        ">",
        "<",
        "x",
        "\\",
        "\n",
        "{",
        "}",
    ]
)


@settings(deadline=None, derandomize=True)
@given(st.lists(_PIECES, max_size=12), st.sampled_from(["", " "]))
def test_no_mixture_of_shell_pieces_lets_rm_pass(pieces: list[str], glue: str) -> None:
    verdict = judge_command(glue.join(pieces))
    try:
        names = {command.words[:1] for command in parse_script(glue.join(pieces)).commands()}
    except UnreadableCommandError:
        assert verdict.verdict is CommandVerdict.BLOCKED
    else:
        assert ("rm",) not in names or verdict.verdict is CommandVerdict.BLOCKED


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=60))
def test_no_text_breaks_the_judge(text: str) -> None:
    assert judge_command(text).reason
    assert judge_command(f"psql -c '{text}'").reason
    assert judge_command(f"mongosh --eval '{text}'").reason
    assert judge_command(f"awk '{text}' x").reason
    assert judge_command(f"sed '{text}' x").reason
