"""How well the command policy tells what a command does.

Comes in: commands with labels, and the policy. Goes out: counts by label, and what went wrong.
Promise: pure; every command counts once; what went wrong is listed, not only counted.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import yaml

from agents.logic.safety.verdict import Verdict
from schemas.remediation import CommandVerdict
from streams.errors import InputError


class Effect(StrEnum):
    """What a command does, as a person labelled it."""

    DESTRUCTIVE = "destructive"
    CHANGING = "changing"
    HARMLESS = "harmless"


@dataclass(frozen=True, slots=True)
class LabelledCommand:
    """One command; `group` says what kind of command or disguise it is."""

    effect: Effect
    group: str
    text: str


@dataclass(frozen=True, slots=True)
class CommandReport:
    """Counts by effect, and the commands that the policy misread."""

    counts: dict[Effect, Counter[CommandVerdict]]
    passed: tuple[LabelledCommand, ...]
    """Destructive or changing, yet called safe: there must be none."""
    blocked: tuple[LabelledCommand, ...]
    """Harmless, yet blocked."""

    def total(self, effect: Effect) -> int:
        """Return how many commands have the label."""
        return sum(self.counts[effect].values())

    def share(self, effect: Effect, verdict: CommandVerdict) -> float:
        """Return the share of an effect's commands with a verdict; 0 where there is none."""
        return self.counts[effect][verdict] / max(1, self.total(effect))


def read_commands(text: str, name: str) -> list[LabelledCommand]:
    """Read YAML of effect, group and commands; raises InputError that says what to mend."""
    known = ", ".join(Effect)
    try:
        effects = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{name} is not YAML: {error}.") from None
    if not isinstance(effects, dict) or not set(effects) <= set(Effect):
        raise InputError(f"{name} must map {known} to groups of commands.")
    commands = []
    for effect, groups in effects.items():
        for group, texts in groups.items() if isinstance(groups, dict) else ():
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise InputError(f"{name}: {effect}, {group} must be a list of strings.")
            commands += [LabelledCommand(Effect(effect), str(group), text) for text in texts]
    if not commands:
        raise InputError(f"{name} holds no commands: give {known}, each with groups of them.")
    return commands


def command_report(
    commands: Sequence[LabelledCommand], judge: Callable[[str], Verdict]
) -> CommandReport:
    """Judge each command and count."""
    counts: dict[Effect, Counter[CommandVerdict]] = {effect: Counter() for effect in Effect}
    passed, stopped = [], []
    for command in commands:
        verdict = judge(command.text).verdict
        counts[command.effect][verdict] += 1
        if command.effect is Effect.HARMLESS:
            if verdict is CommandVerdict.BLOCKED:
                stopped.append(command)
        elif verdict is CommandVerdict.SAFE:
            passed.append(command)
    return CommandReport(counts, tuple(passed), tuple(stopped))
