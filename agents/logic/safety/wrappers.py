"""Programs that run another command: sudo, env, timeout, bash -c, ssh, xargs, exec in a container.

Comes in: a command, and how to judge what is inside it. Goes out: the verdict on the inside.
Promise: an option that is not listed, a shell without a text and a prompt are blocked.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agents.logic.safety.parsing import Command
from agents.logic.safety.table import READERS, words
from agents.logic.safety.verdict import SAFE, Verdict, blocked, needs_approval

ALLOWED_VARIABLES = words(
    "PGPASSWORD PGHOST PGPORT PGUSER PGDATABASE PGSSLMODE PGCONNECT_TIMEOUT LC_ALL LANG TZ COLUMNS"
    " AWS_REGION AWS_PROFILE AWS_DEFAULT_REGION ETCDCTL_API ETCDCTL_ENDPOINTS VAULT_ADDR MYSQL_PWD"
    " REDISCLI_AUTH NO_COLOR TERM"
)
"""Variables that only say where to connect or how to print; others may load code."""


@dataclass(frozen=True, slots=True)
class Nested:
    """How to judge what a wrapper runs; both are bounded in depth by the caller."""

    command: Callable[[Command], Verdict]
    text: Callable[[str], Verdict]


@dataclass(frozen=True, slots=True)
class _Wrapper:
    values: frozenset[str] = frozenset()
    """Options that take the next word."""
    flags: frozenset[str] = frozenset()
    skipped: int = 0
    """Words between the options and the command."""


_WRAPPERS: Mapping[str, _Wrapper] = {
    "sudo": _Wrapper(words("-u -g --user --group"), words("-n -E -H --non-interactive")),
    "doas": _Wrapper(words("-u"), words("-n")),
    "env": _Wrapper(flags=words("-i")),
    "nohup": _Wrapper(),
    "timeout": _Wrapper(
        words("-s -k --signal --kill-after"), words("--preserve-status --foreground -v"), 1
    ),
    "nice": _Wrapper(words("-n --adjustment")),
    "time": _Wrapper(flags=words("-p")),
    "stdbuf": _Wrapper(flags=words("-oL -o0 -eL -i0")),
    "command": _Wrapper(flags=words("-v -V")),
    "builtin": _Wrapper(),
}
_SHELLS = words("bash sh dash zsh ksh ash")
_REPEATERS: Mapping[str, _Wrapper] = {
    "watch": _Wrapper(words("-n --interval"), words("-d -t -n1 -n2 -n5 -n10 --differences")),
    "xargs": _Wrapper(words("-n -d -L -P --max-args"), words("-r -0 -t -x -r0 -n1")),
}
_EXEC_FLAGS = words("-i -t -it -ti -T --stdin --tty -q")
_EXEC_VALUES = words("-n --namespace -c --container -u --user")
_SSH_SETTINGS = words("BatchMode ConnectTimeout StrictHostKeyChecking")


def judge_wrapper(command: Command, nested: Nested) -> Verdict | None:
    """Judge a wrapper by what it runs; None where the program is no wrapper."""
    name = command.words[0]
    if name in _WRAPPERS:
        return _judge_wrapped(command, _WRAPPERS[name], nested)
    if name in _SHELLS:
        return _judge_shell(command, nested)
    if name in _REPEATERS:
        return _judge_repeated(command, _REPEATERS[name], nested)
    if name == "ssh":
        return _judge_ssh(command, nested)
    return None


def _judge_wrapped(command: Command, wrapper: _Wrapper, nested: Nested) -> Verdict:
    name, *rest = command.words
    takes_variables = name in {"env", "sudo"}
    while rest and (rest[0].startswith("-") or (takes_variables and "=" in rest[0])):
        word = rest.pop(0)
        if word == "--":
            break
        option = word.split("=", 1)[0]
        if not word.startswith("-"):
            if option not in ALLOWED_VARIABLES:
                return blocked(f"sets the variable {option}, which may change what runs")
        elif word in wrapper.values:
            del rest[:1]
        elif name == "command" and word in wrapper.flags:
            return SAFE
        elif word not in wrapper.flags and option not in wrapper.values:
            return blocked(f"the option {word} of {name} is not on the allow list")
    del rest[: wrapper.skipped]
    if rest:
        return nested.command(
            Command(tuple(rest), (), command.reads_input, command.globs, command.input_files)
        )
    if name == "env":
        return needs_approval("may print secrets of the environment")
    return blocked(f"{name} names no command")


def _judge_shell(command: Command, nested: Nested) -> Verdict:
    rest = list(command.words[1:])
    while rest and rest[0] in {"-e", "-u", "-l", "-x"}:
        rest.pop(0)
    if len(rest) == 2 and re.fullmatch(r"-[elux]*c", rest[0]):
        return nested.text(rest[1])
    return blocked("opens a shell that takes its commands from a file, a pipe or a prompt")


def _judge_repeated(command: Command, wrapper: _Wrapper, nested: Nested) -> Verdict:
    """Judge watch by its text; xargs passes only programs that read, whatever their words."""
    name, *rest = command.words
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word in wrapper.values:
            del rest[:1]
        elif word not in wrapper.flags:
            return blocked(f"the option {word} of {name} is not on the allow list")
    if not rest:
        return blocked(f"{name} names no command")
    if name == "watch":
        return nested.text(" ".join(rest))
    if rest[0] in READERS:
        return nested.command(Command(tuple(rest)))
    return blocked(f"xargs gives {rest[0]} words that are known only when it runs")


def _judge_ssh(command: Command, nested: Nested) -> Verdict:
    rest = list(command.words[1:])
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word in {"-p", "-l", "-i"}:
            del rest[:1]
        elif word == "-o":
            setting = rest.pop(0) if rest else ""
            if setting.split("=")[0] not in _SSH_SETTINGS:
                return blocked(f"the ssh setting {setting} is not on the allow list")
        elif word not in {"-n", "-T", "-q", "-4", "-6", "-v"}:
            return blocked(f"the option {word} of ssh is not on the allow list")
    if len(rest) < 2 or rest[1].startswith("-") or command.reads_input:
        return blocked("opens a shell on another host")
    return nested.text(" ".join(rest[1:]))


def judge_exec(rest: list[str], nested: Nested) -> Verdict:
    """Judge what `exec` runs inside a container; `rest` is what follows the word exec."""
    target: str | None = None
    while rest:
        word = rest.pop(0)
        if word == "--":
            break
        if word in _EXEC_VALUES:
            del rest[:1]
        elif word.split("=", 1)[0] in _EXEC_VALUES or word in _EXEC_FLAGS:
            continue
        elif word.startswith("-"):
            return blocked(f"the option {word} of exec is not on the allow list")
        elif target is None:
            target = word
        else:
            rest.insert(0, word)
            break
    if not rest:
        return blocked("opens a shell in a container")
    return nested.command(Command(tuple(rest)))
