"""The passages of runbooks that a plan may rest on, numbered for a model.

Comes in: runbooks, the platform. Goes out: passages P1..Pn, each one item of Checks or Steps.
Promise: pure; checks come before steps, the first runbook before the second; what is offered is the
runbook's own wording, with slots in place of anything that an incident fills in.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from agents.logic.plans.runbooks import Runbook, RunbookStep
from schemas.remediation import Citation, Risk
from schemas.services import Platform

MAX_PASSAGES = 14
"""More are not read by a small model, and no plan needs them."""
_SECOND_CHECKS, _SECOND_STEPS = 2, 3
_LABELS = {Platform.KUBERNETES: "On Kubernetes: ", Platform.SYSTEMD: "Under systemd: "}


@dataclass(frozen=True, slots=True)
class Passage:
    """One item of a runbook, as it is offered; `command` still holds its {slots}."""

    id: str
    runbook: str
    title: str
    section: str
    text: str
    command: str | None
    verification: str
    rollback: str
    risk: Risk
    is_check: bool
    estimated: timedelta
    """What the whole runbook takes."""

    @property
    def citation(self) -> Citation:
        """Return where the passage stands."""
        return Citation(runbook=self.runbook, section=self.section, title=self.title)


def offer_passages(
    runbooks: Sequence[Runbook], platform: Platform, limit: int = MAX_PASSAGES
) -> tuple[Passage, ...]:
    """Return at most `limit` passages, half of them checks where there are enough of both."""
    checks: list[tuple[Runbook, str, int, RunbookStep]] = []
    steps: list[tuple[Runbook, str, int, RunbookStep]] = []
    for position, runbook in enumerate(runbooks):
        few = position > 0
        checks += _items(runbook, "Checks", runbook.checks, _SECOND_CHECKS if few else None)
        steps += _items(runbook, "Steps", runbook.steps, _SECOND_STEPS if few else None)
    kept_checks = checks[: max(limit // 2, limit - len(steps))]
    chosen = [*kept_checks, *steps[: limit - len(kept_checks)]]
    return tuple(
        _passage(f"P{number}", *item, platform) for number, item in enumerate(chosen, start=1)
    )


def _items(
    runbook: Runbook, section: str, items: Iterable[RunbookStep], most: int | None
) -> list[tuple[Runbook, str, int, RunbookStep]]:
    return [(runbook, section, n, item) for n, item in enumerate(items, start=1)][:most]


def _passage(
    name: str, runbook: Runbook, section: str, number: int, item: RunbookStep, platform: Platform
) -> Passage:
    is_check = section == "Checks"
    label, command = _command(item, platform)
    return Passage(
        id=name,
        runbook=runbook.id,
        title=runbook.title,
        section=f"{section} {number}",
        text=f"{label}{item.text}",
        command=command,
        verification=item.verification,
        rollback="Nothing to undo: it only reads." if is_check else item.rollback,
        risk=item.risk,
        is_check=is_check,
        estimated=runbook.estimated,
    )


def _command(item: RunbookStep, platform: Platform) -> tuple[str, str | None]:
    """Return a label and the platform's command, else the common one, else a labelled one."""
    for choice in (platform, Platform.UNKNOWN):
        if choice in item.commands:
            return "", item.commands[choice]
    if platform is Platform.UNKNOWN:
        for choice, label in _LABELS.items():
            if choice in item.commands:
                return label, item.commands[choice]
    return "", None
