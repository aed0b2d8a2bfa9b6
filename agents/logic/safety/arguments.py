"""The words of a command told apart: options with their values, and operands.

Comes in: the words after a program's name. Goes out: options and operands.
Promise: where a value looks like an option, so that two programs might read it in two ways, the
result holds the option `?`, which no allow list knows.
"""

from collections.abc import Callable, Sequence

from agents.logic.safety.parsing import Command
from agents.logic.safety.verdict import Verdict

Judge = Callable[[Command, Command | None], Verdict]
"""Judges a command, given the one whose output it reads."""


def split_options(
    arguments: Sequence[str], values: frozenset[str], attached: frozenset[str] = frozenset()
) -> tuple[list[tuple[str, str]], list[str]]:
    """Return options with their values, and operands.

    `values` names the options that take a value: `--name=value`, `--name value`, `-nvalue` and
    `-n value` are the same. `attached` names those that take one only without a space.
    """
    options: list[tuple[str, str]] = []
    operands: list[str] = []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            return options, operands + waiting
        if not word.startswith("-") or word == "-":
            operands.append(word)
        elif word in values:
            value = waiting.pop(0) if waiting else ""
            if value.startswith("-") and value != "-":
                options.append(("?", value))
            options.append((word, value))
        elif word.startswith("--"):
            name, _, value = word.partition("=")
            options.append((name, value))
        elif word[:2] in values | attached:
            options.append((word[:2], word[2:]))
        else:
            options.append((word, ""))
    return options, operands
