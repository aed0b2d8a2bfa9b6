"""Whether a command may be shown as safe, needs a person's approval, or is blocked.

Comes in: shell text. Goes out: a verdict with its reason.
Promise: the text is parsed, every program in it is judged by allow lists, wrappers are looked
through, and the worst part decides. What is unknown or unreadable is blocked. Nothing is executed.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from agents.logic.safety.options import judge_options, judge_verbs
from agents.logic.safety.parsing import Command, UnreadableCommandError, parse_script
from agents.logic.safety.programs import SPECIAL
from agents.logic.safety.table import CHANGERS, FORBIDDEN, READERS, words
from agents.logic.safety.table_options import OPTION_PROGRAMS
from agents.logic.safety.table_services import VERB_PROGRAMS
from agents.logic.safety.table_stores import STORE_PROGRAMS
from agents.logic.safety.verdict import SAFE, Verdict, blocked, needs_approval, worst
from agents.logic.safety.wrappers import ALLOWED_VARIABLES, Nested, judge_exec, judge_wrapper

MAX_NESTING = 4
"""Commands inside commands (`sudo bash -c "ssh ..."`) deeper than this are blocked."""

_FOLDERS = words("/bin /usr/bin /sbin /usr/sbin /usr/local/bin /usr/local/sbin /opt/kafka/bin")
_SECRET_PATHS = words(
    "/etc/shadow /etc/gshadow /etc/sudoers /etc/krb5.keytab /root/.ssh/id_rsa"
    " /root/.ssh/id_ed25519"
    " /root/.bash_history /root/.pgpass /root/.my.cnf /root/.aws/credentials /root/.kube/config"
    " /proc/1/environ /proc/self/environ /etc/kubernetes/admin.conf"
)
_SECRET_NAMES = words(
    "shadow gshadow sudoers id_rsa id_ed25519 id_ecdsa id_dsa .pgpass .my.cnf .netrc .bash_history"
    " environ credentials .git-credentials krb5.keytab admin.conf .env"
)
_SECRET_FOLDERS = words(".ssh .aws .gnupg secrets .kube")
_SECRET_SUFFIXES = (".key", ".keytab", ".p12", ".jks")
_TEXT_READERS = words(
    "cat head tail strings od grep egrep fgrep cut tac nl wc sort uniq zcat zgrep awk sed cksum"
    " md5sum sha1sum sha256sum sha512sum cmp diff paste"
)


def judge_command(text: str) -> Verdict:
    """Judge shell text of one or more lines; the worst of its commands decides."""
    return _judge_text(text, depth=0)


def _judge_text(text: str, depth: int) -> Verdict:
    if depth > MAX_NESTING:
        return blocked(f"nests commands more than {MAX_NESTING} deep")
    try:
        script = parse_script(text)
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
    if depth > MAX_NESTING:
        return blocked(f"nests commands more than {MAX_NESTING} deep")
    for variable, _value in command.assignments:
        if variable not in ALLOWED_VARIABLES:
            return blocked(f"sets the variable {variable}, which may change what runs")
    if not command.words:
        return blocked("sets a variable")
    name = _program_name(command.words[0])
    if name is None:
        return blocked(f"runs a program from {command.words[0]}")
    plain = Command(
        (name, *command.words[1:]), (), command.reads_input, command.globs, command.input_files
    )
    paths = (*command.words[1:], *command.input_files)
    return worst((_judge_program(plain, previous, depth), _judge_paths(name, paths)))


def _program_name(word: str) -> str | None:
    """Return the program's name; None where it lies outside the folders of system programs."""
    folder, slash, name = word.rpartition("/")
    if slash and folder not in _FOLDERS:
        return None
    return name.removesuffix(".sh")


def _judge_program(command: Command, previous: Command | None, depth: int) -> Verdict:
    name = command.words[0]
    nested = Nested(
        command=lambda inner: _judge_one(inner, previous, depth + 1),
        text=lambda text: _judge_text(text, depth + 1),
    )
    if name in FORBIDDEN:
        return blocked(f"{name} {FORBIDDEN[name]}")
    if name.split(".")[0] == "mkfs":
        return blocked("overwrites a device with a new filesystem")
    if name not in READERS and any(word[:1] in {"*", "?", "["} for word in command.globs):
        return blocked("has words that are known only when it runs, and may be options")
    wrapped = judge_wrapper(command, nested)
    if wrapped is not None:
        return wrapped
    if name in SPECIAL:
        return SPECIAL[name](command, previous)
    for table in (VERB_PROGRAMS, STORE_PROGRAMS):
        if name in table:
            return judge_verbs(command, table[name], lambda rest: judge_exec(rest, nested))
    if name in OPTION_PROGRAMS:
        return judge_options(command, OPTION_PROGRAMS[name])
    if name in CHANGERS:
        return _judge_changer(command)
    if name in READERS:
        return SAFE
    if name == "printenv":
        return needs_approval("may print secrets of the environment")
    return blocked(f"the program {name} is not on the allow list")


def _judge_changer(command: Command) -> Verdict:
    name = command.words[0]
    if command.globs:
        return blocked("changes files that are known only when it runs")
    if any(word.startswith(("/proc/", "/sys/")) for word in command.words[1:]):
        return blocked("writes to the kernel")
    writes_files = name in {"cp", "mv", "ln", "touch", "setfacl", "chgrp"}
    if writes_files and any(word.startswith("/dev/") for word in command.words[1:]):
        return blocked("writes to a device, or empties a file with one")
    return needs_approval(f"{name} {CHANGERS[name]}")


def _judge_paths(name: str, arguments: Sequence[str]) -> Verdict:
    """Reading is no harm, but printing keys and passwords is, and a raw device never ends."""
    for word in arguments:
        path = word.partition("=")[2] if word.startswith("--") else word
        if path in {"/dev/null", "/dev/stdin"} or path.startswith(("http://", "https://")):
            continue
        if name in _TEXT_READERS and path.startswith("/dev/"):
            return blocked("reads a raw device")
        if _may_be_secret(path):
            return needs_approval(f"may print secrets ({path})")
    return SAFE


def _may_be_secret(path: str) -> bool:
    if "/" not in path and not path.startswith("."):
        return False
    parts = PurePosixPath(path).parts
    if not parts:
        return False
    return (
        parts[-1] in _SECRET_NAMES
        or not _SECRET_FOLDERS.isdisjoint(parts[:-1])
        or parts[-1].endswith(_SECRET_SUFFIXES)
        or any(fnmatchcase(secret, path) for secret in _SECRET_PATHS)
    )
