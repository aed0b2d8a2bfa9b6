"""Whether a command may be shown as safe, needs a person's approval, or is blocked.

Comes in: shell text. Goes out: a verdict with its reason.
Promise: the text is parsed, every program in it is judged by allow lists, wrappers are looked
through, and the worst part decides. What is unknown or unreadable is blocked. Nothing is executed.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from agents.logic.command_programs import SPECIAL
from agents.logic.command_table import (
    CHANGERS,
    FORBIDDEN,
    OPTION_PROGRAMS,
    READERS,
    Program,
    words,
)
from agents.logic.command_table_services import VERB_PROGRAMS
from agents.logic.command_verdict import SAFE, Verdict, blocked, needs_approval, worst
from agents.logic.commands import Command, Script, UnreadableCommandError, parse_script
from schemas.remediation import CommandVerdict

MAX_NESTING = 4
"""Commands inside commands (`sudo bash -c "ssh ..."`) deeper than this are blocked."""

_FOLDERS = words(
    "/bin /usr/bin /sbin /usr/sbin /usr/local/bin /usr/local/sbin /opt/kafka/bin bin ./bin"
)
_VARIABLES = words(
    "PGPASSWORD PGHOST PGPORT PGUSER PGDATABASE PGSSLMODE PGCONNECT_TIMEOUT LC_ALL LANG TZ COLUMNS"
    " AWS_REGION AWS_PROFILE AWS_DEFAULT_REGION ETCDCTL_API ETCDCTL_ENDPOINTS VAULT_ADDR MYSQL_PWD"
    " REDISCLI_AUTH NO_COLOR TERM"
)
"""Variables that only say where to connect or how to print; others may load code."""
_SECRET_PATHS = words(
    "/etc/shadow /etc/gshadow /etc/sudoers /etc/krb5.keytab /root/.ssh/id_rsa /root/.ssh/id_ed25519"
    " /root/.bash_history /root/.pgpass /root/.my.cnf /root/.aws/credentials /root/.kube/config"
    " /proc/1/environ /proc/self/environ /etc/kubernetes/admin.conf"
)
_SECRET_NAMES = words(
    "shadow gshadow id_rsa id_ed25519 id_ecdsa id_dsa .pgpass .my.cnf .netrc .bash_history environ"
    " credentials .git-credentials krb5.keytab admin.conf .env"
)
_SECRET_FOLDERS = words(".ssh .aws .gnupg secrets .kube")
_TEXT_READERS = words(
    "cat head tail strings od grep egrep fgrep cut tac nl wc sort uniq cp mv zcat zgrep awk sed cksum"
    " md5sum sha1sum sha256sum sha512sum cmp diff paste"
)


def judge_command(text: str) -> Verdict:
    """Judge shell text of one or more lines; the worst of its commands decides."""
    return _judge_text(text, depth=0)


def _judge_text(text: str, depth: int) -> Verdict:
    if depth > MAX_NESTING:
        return blocked(f"nests commands more than {MAX_NESTING} deep")
    try:
        script: Script = parse_script(text)
    except UnreadableCommandError as error:
        return blocked(str(error))
    verdicts = []
    for pipeline in script.pipelines:
        previous: Command | None = None
        for command in pipeline:
            verdicts.append(_judge_one(command, previous, depth))
            previous = command
    return worst(verdicts)


def _judge_one(command: Command, previous: Command | None, depth: int) -> Verdict:
    for name, _value in command.assignments:
        if name not in _VARIABLES:
            return blocked(f"sets the variable {name}, which may change what the program does")
    if not command.words:
        return blocked("sets a variable")
    name = _program_name(command.words[0])
    if name is None:
        return blocked(f"runs a program from {command.words[0]}")
    plain = Command((name, *command.words[1:]), (), command.reads_input, command.has_glob)
    return worst(
        (
            _judge_program(plain, previous, depth),
            _judge_paths(name, (*command.words[1:], *command.input_files)),
        )
    )


def _program_name(word: str) -> str | None:
    """Return the program's name; None where it lies outside the folders of system programs."""
    folder, _, name = word.rpartition("/")
    if "/" in word and folder not in _FOLDERS:
        return None
    return name.removesuffix(".sh")


def _judge_program(command: Command, previous: Command | None, depth: int) -> Verdict:
    name = command.words[0]
    if name.startswith("mkfs"):
        return blocked("overwrites a device with a new filesystem")
    if name in FORBIDDEN:
        return blocked(f"{name} {FORBIDDEN[name]}")
    if name in _WRAPPERS:
        return _judge_wrapped(command, depth)
    if name in {"bash", "sh", "dash", "zsh", "ksh", "ash"}:
        return _judge_shell(command, depth)
    if name == "ssh":
        return _judge_ssh(command, depth)
    if name in {"watch", "xargs"}:
        return _judge_repeated(command, depth)
    if name == "kill":
        return _judge_kill(command)
    if name == "chmod":
        return _judge_chmod(command)
    if name in SPECIAL:
        return SPECIAL[name](command, previous)
    if name in VERB_PROGRAMS:
        return _judge_verbs(command, VERB_PROGRAMS[name], depth)
    if name in OPTION_PROGRAMS:
        return _judge_options(command, OPTION_PROGRAMS[name])
    if name in CHANGERS:
        return _judge_changer(command)
    if name in READERS:
        return SAFE
    if name in {"env", "printenv"}:
        return needs_approval("may print secrets of the environment")
    return blocked(f"the program {name} is not on the allow list")


def _judge_changer(command: Command) -> Verdict:
    name = command.words[0]
    if command.has_glob:
        return blocked("changes files that are known only when it runs")
    if name in {"cp", "mv", "ln", "touch"} and any(
        word.startswith(("/dev/", "/proc/", "/sys/")) for word in command.words[1:]
    ):
        return blocked("writes to a device or to the kernel")
    return needs_approval(f"{name} {CHANGERS[name]}")


def _judge_paths(name: str, arguments: Sequence[str]) -> Verdict:
    for word in arguments:
        path = word.partition("=")[2] if word.startswith("--") else word
        if (
            name in _TEXT_READERS
            and path.startswith("/dev/")
            and path not in {"/dev/null", "/dev/stdin"}
        ):
            return blocked("reads a raw device")
        if "/" not in path and not path.startswith("."):
            continue
        parts = PurePosixPath(path).parts
        is_secret = bool(parts) and (
            parts[-1] in _SECRET_NAMES
            or not _SECRET_FOLDERS.isdisjoint(parts[:-1])
            or parts[-1].endswith((".key", ".keytab", ".p12", ".jks"))
            or any(fnmatchcase(secret, path) for secret in _SECRET_PATHS)
        )
        if is_secret and not path.startswith(("http://", "https://")):
            return needs_approval(f"may print secrets ({path})")
    return SAFE


def _option_verdicts(word: str, program: Program) -> list[tuple[str, CommandVerdict]]:
    """Return the verdicts of the options in one word: exact, bundled letters, abbreviations."""
    name = word.split("=", 1)[0]
    if name in program.options:
        return [(name, program.options[name])]
    if word.startswith("--"):
        return [
            (option, verdict)
            for option, verdict in program.options.items()
            if len(name) > 2 and option.startswith(name)
        ]
    return [
        (f"-{letter}", program.options[f"-{letter}"])
        for letter in word[1:]
        if f"-{letter}" in program.options
    ]


def _as_verdict(verdict: CommandVerdict, what: str) -> Verdict:
    if verdict is CommandVerdict.SAFE:
        return SAFE
    if verdict is CommandVerdict.NEEDS_APPROVAL:
        return needs_approval(f"{what} changes something")
    return blocked(f"{what} destroys something or cannot be controlled")


def _judge_options(command: Command, program: Program) -> Verdict:
    """Judge a program whose options decide what it does."""
    name, *rest = command.words
    found: list[Verdict] = []
    operands = 0
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            operands += not (name == "date" and word.startswith("+"))
            continue
        if word in program.values:
            del rest[:1]
        found += [
            _as_verdict(verdict, f"{name} {option}")
            for option, verdict in _option_verdicts(word, program)
        ]
    if program.max_operands is not None and operands > program.max_operands:
        found.append(_as_verdict(program.excess, f"{name} with more words"))
    if not found:
        if program.default is None:
            return blocked(f"{name} without an option that the policy knows")
        return _as_verdict(program.default, name)
    return worst(found)


def _judge_verbs(command: Command, program: Program, depth: int) -> Verdict:
    """Judge a program whose sub-command decides what it does."""
    name, *rest = command.words
    path = ""
    verdict: CommandVerdict | None = None
    while rest:
        word = rest[0]
        candidate = f"{path}/{word}" if path else word
        known = _verb_verdict(candidate, program)
        if word in {"exec"} and name in _EXEC_PROGRAMS and verdict is None:
            return _judge_exec(rest[1:], depth)
        if known is not None or any(verb.startswith(f"{candidate}/") for verb in program.verbs):
            path, verdict = candidate, known if known is not None else verdict
            rest.pop(0)
        elif verdict is not None or path or not word.startswith("-"):
            break
        elif word in program.values:
            del rest[:2]
        elif word in program.flags or word.split("=", 1)[0] in program.values:
            rest.pop(0)
        elif any(item is CommandVerdict.SAFE for _, item in _option_verdicts(word, program)):
            rest.pop(0)
        else:
            return blocked(f"the option {word} of {name} is not on the allow list")
    what = f"{name} {path.replace('/', ' ')}".strip()
    found = [
        _as_verdict(item, f"{what} {option}")
        for word in command.words[1:]
        if word.startswith("-")
        for option, item in _exact_options(word, program)
    ]
    if verdict is None:
        found.append(_judge_no_verb(what, rest, program, has_options=bool(found)))
    else:
        found.append(_as_verdict(verdict, what))
    if _prints_a_secret(name, path, command.words):
        found.append(needs_approval("prints secrets"))
    return worst(found)


def _judge_no_verb(what: str, rest: list[str], program: Program, *, has_options: bool) -> Verdict:
    if rest:
        return blocked(f"{what} {rest[0]} is not on the allow list")
    if program.default is not None:
        return _as_verdict(program.default, what)
    return SAFE if has_options else blocked(f"{what} names no action that the policy knows")


def _exact_options(word: str, program: Program) -> list[tuple[str, CommandVerdict]]:
    return [
        (option, verdict)
        for option, verdict in _option_verdicts(word, program)
        if word.startswith("--") or option == word.split("=", 1)[0]
    ]


def _verb_verdict(candidate: str, program: Program) -> CommandVerdict | None:
    if candidate in program.verbs:
        return program.verbs[candidate]
    for separator in "-_":
        head, found, _ = candidate.partition(separator)
        if found and f"{head}{separator}*" in program.verbs:
            return program.verbs[f"{head}{separator}*"]
    return None


def _prints_a_secret(name: str, path: str, command_words: Sequence[str]) -> bool:
    if name not in {"kubectl", "oc"} or path != "get":
        return False
    kinds = {
        kind.split(".")[0].lower()
        for word in command_words
        for kind in word.split("/")[0].split(",")
    }
    return bool(kinds & {"secret", "secrets"}) and any(
        word.startswith(("-o", "--output", "--template")) for word in command_words
    )


_EXEC_PROGRAMS = words("kubectl oc docker podman nerdctl crictl docker-compose")
_EXEC_FLAGS = words("-i -t -it -ti -T --stdin --tty -q")
_EXEC_VALUES = words("-n --namespace -c --container -u --user")


def _judge_exec(rest: list[str], depth: int) -> Verdict:
    """Judge what `exec` runs inside a container."""
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
    return _judge_inner(tuple(rest), depth)


def _judge_inner(inner: tuple[str, ...], depth: int) -> Verdict:
    if depth >= MAX_NESTING:
        return blocked(f"nests commands more than {MAX_NESTING} deep")
    return _judge_one(Command(inner), None, depth + 1)


_WRAPPERS = {
    # program: (options that take a word, options that stand alone, words before the command)
    "sudo": (words("-u -g --user --group"), words("-n -E -H --non-interactive"), 0),
    "doas": (words("-u"), words("-n"), 0),
    "env": (frozenset[str](), words("-i"), 0),
    "nohup": (frozenset[str](), frozenset[str](), 0),
    "timeout": (
        words("-s -k --signal --kill-after"),
        words("--preserve-status --foreground -v"),
        1,
    ),
    "nice": (words("-n --adjustment"), frozenset[str](), 0),
    "time": (frozenset[str](), words("-p"), 0),
    "stdbuf": (words("-i -o -e"), words("-oL -o0 -eL"), 0),
    "command": (frozenset[str](), words("-v -V"), 0),
    "builtin": (frozenset[str](), frozenset[str](), 0),
}


def _judge_wrapped(command: Command, depth: int) -> Verdict:
    """Judge the command behind sudo, env, timeout and their like."""
    name, *rest = command.words
    values, flags, skipped = _WRAPPERS[name]
    while rest and (rest[0].startswith("-") or (name in {"env", "sudo"} and "=" in rest[0])):
        word = rest.pop(0)
        if word == "--":
            break
        if not word.startswith("-"):
            if word.split("=", 1)[0] not in _VARIABLES:
                return blocked(f"sets the variable {word.split('=', 1)[0]}")
        elif word in values:
            del rest[:1]
        elif word in {"-v", "-V"} and name == "command":
            return SAFE
        elif word not in flags and word.split("=", 1)[0] not in values:
            return blocked(f"the option {word} of {name} is not on the allow list")
    del rest[:skipped]
    if not rest:
        if name == "env":
            return needs_approval("may print secrets of the environment")
        return blocked(f"{name} names no command")
    inner = Command(tuple(rest), (), command.reads_input, command.has_glob)
    if depth >= MAX_NESTING:
        return blocked(f"nests commands more than {MAX_NESTING} deep")
    return _judge_one(inner, None, depth + 1)


def _judge_shell(command: Command, depth: int) -> Verdict:
    """Judge `bash -c TEXT` by its text; a shell that reads a file, a pipe or a prompt is blocked."""
    rest = list(command.words[1:])
    while rest and rest[0] in {"-e", "-u", "-l", "-x"}:
        rest.pop(0)
    if len(rest) == 2 and re.fullmatch(r"-[elux]*c", rest[0]):
        return _judge_text(rest[1], depth + 1)
    return blocked("opens a shell that takes its commands from a file, a pipe or a prompt")


def _judge_ssh(command: Command, depth: int) -> Verdict:
    rest = list(command.words[1:])
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word in {"-p", "-l", "-i"}:
            del rest[:1]
        elif word == "-o":
            setting = rest.pop(0) if rest else ""
            if setting.split("=")[0] not in {
                "BatchMode",
                "ConnectTimeout",
                "StrictHostKeyChecking",
            }:
                return blocked(f"the ssh setting {setting} is not on the allow list")
        elif word not in {"-n", "-T", "-q", "-4", "-6", "-v"}:
            return blocked(f"the option {word} of ssh is not on the allow list")
    if len(rest) < 2 or command.reads_input:
        return blocked("opens a shell on another host")
    return _judge_text(" ".join(rest[1:]), depth + 1)


def _judge_repeated(command: Command, depth: int) -> Verdict:
    """Judge watch by its command; xargs only where the command reads, whatever its words."""
    name, *rest = command.words
    values, flags = (
        words("-n -d -L -P -I --interval --max-args"),
        words("-r -0 -t -d -n1 -n2 -n5 -n10 -x -r0"),
    )
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word in values and not (name == "watch" and word == "-d"):
            del rest[:1]
        elif word not in flags:
            return blocked(f"the option {word} of {name} is not on the allow list")
    if not rest:
        return blocked(f"{name} names no command")
    if name == "watch":
        return _judge_text(" ".join(rest), depth + 1)
    if rest[0] in READERS:
        return SAFE
    return blocked(f"xargs gives {rest[0]} words that are known only when it runs")


def _judge_kill(command: Command) -> Verdict:
    rest = list(command.words[1:])
    if rest and rest[0] in {"-l", "-L"}:
        return SAFE
    is_signal_word = bool(rest) and rest[0].startswith("-")
    signal = rest.pop(0) if is_signal_word else "-TERM"
    if signal == "-s" and rest:
        signal = f"-{rest.pop(0)}"
    if rest[:1] == ["--"]:
        rest.pop(0)
    if not rest or any(not pid.isdigit() or int(pid) <= 1 for pid in rest):
        return blocked("kills more than one named process")
    if signal == "-0":
        return SAFE
    return needs_approval(f"sends {signal.lstrip('-')} to a process")


def _judge_chmod(command: Command) -> Verdict:
    if any(word in {"-R", "--recursive"} or word.startswith("--rec") for word in command.words):
        return blocked("changes who may use a whole tree of files")
    mode = next((word for word in command.words[1:] if not word.startswith("-")), "")
    opens_all = re.fullmatch(r"[0-7]?[0-7]{2}[2367]", mode) or re.fullmatch(r"[2467][0-7]{3}", mode)
    if opens_all or re.search(r"(^|,)([ugoa]*[oa][ugoa]*|)[+=][rx]*w", mode) or "s" in mode:
        return blocked("lets everyone write a file, or run it with its owner's rights")
    if command.has_glob:
        return blocked("changes files that are known only when it runs")
    return needs_approval("changes who may use a file")
