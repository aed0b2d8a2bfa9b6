"""Measures what the command policy says of labelled commands and of the runbooks' own checks.

Comes in: commands, the runbooks. Goes out: figures, and the commands that were misread. Promise:
nothing is ever run; a runbook's slots stay unfilled, as in a plan without facts.
"""

from collections import Counter
from collections.abc import Sequence

from agents.logic.plans.retrieval import RunbookLibrary
from agents.logic.plans.steps import render_command
from agents.logic.safety.policy import judge_command
from opspilot.evaluating.figures import Figures, number
from schemas.remediation import CommandVerdict
from training.evaluation.commands import Effect, LabelledCommand, command_report

_VERDICTS = (CommandVerdict.SAFE, CommandVerdict.NEEDS_APPROVAL, CommandVerdict.BLOCKED)


def command_figures(commands: Sequence[LabelledCommand], library: RunbookLibrary) -> list[Figures]:
    """Judge all commands; the second table, if any, lists what was misread."""
    judged = command_report(commands, judge_command)
    checks = runbook_checks(library)
    rows = [_row(effect.value, judged.counts[effect]) for effect in Effect]
    rows.append(_row("checks of the packaged runbooks", checks))
    title = f"{len(commands)} commands"
    tables = [
        Figures(title, ("", "count", "safe", "needs approval", "blocked", "share blocked"),
                tuple(rows))
    ]  # fmt: skip
    misread = [(f"{one.effect}, called safe", one.text) for one in judged.passed]
    misread += [("harmless, blocked", one.text) for one in judged.blocked]
    if misread:
        tables.append(Figures("misread", ("", "command"), tuple(misread)))
    return tables


def runbook_checks(library: RunbookLibrary) -> Counter[CommandVerdict]:
    """Judge every command of every packaged runbook's checks, which only read."""
    return Counter(
        render_command(text, {}).verdict
        for runbook in library.runbooks
        for check in runbook.checks
        for text in check.commands.values()
    )


def _row(name: str, counts: Counter[CommandVerdict]) -> tuple[str, ...]:
    total = sum(counts.values())
    blocked = counts[CommandVerdict.BLOCKED] / total if total else None
    numbers = (str(counts[verdict]) for verdict in _VERDICTS)
    return (name, str(total), *numbers, number(blocked))
