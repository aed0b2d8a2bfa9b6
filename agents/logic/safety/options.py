"""Verdicts on programs whose table entry says what their options or sub-commands do.

Comes in: a command and its table entry. Goes out: a verdict.
Promise: options are read as the program reads them: bundled letters, abbreviated long names, values
that stand apart; what the entry does not list counts as its default, and as blocked without one.
"""

from collections.abc import Callable, Sequence

from agents.logic.safety.parsing import Command
from agents.logic.safety.table import Program, words
from agents.logic.safety.verdict import SAFE, Verdict, blocked, needs_approval, worst
from schemas.remediation import CommandVerdict

_EXEC_PROGRAMS = words("kubectl oc docker podman nerdctl crictl docker-compose")
_EXEC_PATHS = words("exec compose/exec container/exec")


def judge_options(command: Command, program: Program) -> Verdict:
    """Judge a program whose options decide what it does."""
    name, *rest = command.words
    if not rest and program.bare is not None:
        return _as_verdict(program.bare, name)
    found: list[Verdict] = []
    operands = 0
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word in {"-", "--"}:
            operands += not (name == "date" and word.startswith("+"))
            continue
        if word in program.values:
            del rest[:1]
        found += _judge_option_word(name, word, program)
    if program.max_operands is not None and operands > program.max_operands:
        found.append(_as_verdict(program.excess, f"{name} with more words"))
    if found:
        return worst(found)
    if program.default is None:
        return blocked(f"{name} is used without an option that the policy knows")
    return _as_verdict(program.default, name)


def _judge_option_word(name: str, word: str, program: Program) -> list[Verdict]:
    known = option_verdicts(word, program)
    if known:
        found = [_as_verdict(verdict, f"{name} {option}") for option, verdict in known]
        if word.startswith("--") or word.split("=", 1)[0] in program.options:
            return found
        if _is_bundle(word, program):
            return found
        return [*found, _unlisted(name, word, program)]
    if word.split("=", 1)[0] in program.values | program.flags or word[:2] in program.values:
        return []
    if not word.startswith("--") and _is_bundle(word, program):
        return []
    return [_unlisted(name, word, program)] if program.default is not CommandVerdict.SAFE else []


def _is_bundle(word: str, program: Program) -> bool:
    """Return whether each letter is known, up to one whose value may follow at once."""
    if program.default is CommandVerdict.SAFE:
        return True
    for letter in word[1:]:
        option = f"-{letter}"
        if option in program.values:
            return True
        if option not in program.options and option not in program.flags and not letter.isdigit():
            return False
    return True


def _unlisted(name: str, word: str, program: Program) -> Verdict:
    if program.default is None:
        return blocked(f"the option {word} of {name} is not on the allow list")
    return _as_verdict(program.default, f"{name} {word}")


def option_verdicts(word: str, program: Program) -> list[tuple[str, CommandVerdict]]:
    """Return the listed options in one word: exact, abbreviated, or as bundled letters."""
    name = word.split("=", 1)[0]
    if name in program.options:
        return [(name, program.options[name])]
    if word.startswith("--"):
        return [
            (option, verdict)
            for option, verdict in program.options.items()
            if len(name) > 2 and option.startswith(name) and name not in program.flags
        ]
    found: list[tuple[str, CommandVerdict]] = []
    for letter in word[1:]:
        option = f"-{letter}"
        if option in program.options:
            found.append((option, program.options[option]))
        elif option in program.values:
            break
    return found


def _as_verdict(verdict: CommandVerdict, what: str) -> Verdict:
    if verdict is CommandVerdict.SAFE:
        return SAFE
    if verdict is CommandVerdict.NEEDS_APPROVAL:
        return needs_approval(f"{what} changes or burdens the system")
    return blocked(f"{what} destroys something or leaves the policy's sight")


def judge_verbs(
    command: Command, program: Program, judge_exec: Callable[[list[str]], Verdict]
) -> Verdict:
    """Judge a program whose sub-command decides; `judge_exec` judges what runs in a container."""
    name = command.words[0]
    path, verdict, rest, problem = _read_verb(command, program)
    if problem:
        return blocked(problem)
    if name in _EXEC_PROGRAMS and path in _EXEC_PATHS:
        return judge_exec(rest)
    what = f"{name} {path.replace('/', ' ')}".strip()
    found = [
        _as_verdict(item, f"{what} {option}")
        for word in command.words[1:]
        if word.startswith("-")
        for option, item in option_verdicts(word, program)
        if word.startswith("--") or option == word.split("=", 1)[0]
    ]
    if verdict is not None:
        found.append(_as_verdict(verdict, what))
    elif rest:
        found.append(blocked(f"{what} {rest[0]} is not on the allow list"))
    elif program.default is not None:
        found.append(_as_verdict(program.default, what))
    elif not found:
        found.append(blocked(f"{what} names no action that the policy knows"))
    if _prints_a_secret(name, path, command.words):
        found.append(needs_approval("prints secrets"))
    return worst(found)


def _read_verb(
    command: Command, program: Program
) -> tuple[str, CommandVerdict | None, list[str], str]:
    """Return the verb's path, its verdict, the words after it, and a problem or an empty text."""
    name, *rest = command.words
    path = ""
    verdict: CommandVerdict | None = None
    while rest:
        word = rest[0]
        candidate = f"{path}/{word}" if path else word
        known = _verb_verdict(candidate, program)
        is_exec = name in _EXEC_PROGRAMS and candidate in _EXEC_PATHS
        if known is not None or is_exec or _starts_a_verb(candidate, program):
            path, verdict = candidate, known
            rest.pop(0)
            if is_exec:
                break
        elif verdict is not None or not word.startswith("-"):
            break
        elif word in program.values:
            del rest[:2]
        elif (
            word in program.flags
            or word.split("=", 1)[0] in program.values
            or any(item is CommandVerdict.SAFE for _, item in option_verdicts(word, program))
        ):
            rest.pop(0)
        else:
            return "", None, rest, f"the option {word} of {name} is not on the allow list"
    return path, verdict, rest, ""


def _starts_a_verb(candidate: str, program: Program) -> bool:
    return any(verb.startswith(f"{candidate}/") for verb in program.verbs)


def _verb_verdict(candidate: str, program: Program) -> CommandVerdict | None:
    if candidate in program.verbs:
        return program.verbs[candidate]
    for separator in "-_/":
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
