"""The steps of a plan: a runbook's items with the facts of one incident filled in.

Comes in: items of a runbook, the situation of an incident. Goes out: steps and commands.
Promise: pure; only typed facts enter a command, quoted; a slot without a fact stays visible as
<slot>; each command is judged as it is shown, a neutral word standing for what is not filled in.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agents.logic.plans.runbooks import SLOT_PATTERN, Runbook, RunbookStep
from agents.logic.safety.policy import judge_command
from schemas.remediation import Citation, Command, CommandVerdict, RemediationStep, Risk
from schemas.services import Platform

_TEXT_LIMIT = 512

_NEUTRAL: Mapping[str, str] = {
    "port": "1", "path": "/name", "url": "http://name/", "device": "/dev/name",
}  # fmt: skip
"""What stands for an unfilled slot while the command is judged; `name` for all other slots."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a plan knows of the incident beside the runbook."""

    service: str
    platform: Platform
    facts: Mapping[str, str]
    shape: str
    owner: str | None
    dependencies: tuple[str, ...]


def shorten(text: str) -> str:
    """Cut text to what a short field of a record holds."""
    return text if len(text) <= _TEXT_LIMIT else f"{text[: _TEXT_LIMIT - 3]}..."


def introduction(situation: Situation, runbook: Runbook) -> Iterator[RemediationStep]:
    """Name whom to tell and what else may be hit, where people have said so."""
    if not situation.owner and not situation.dependencies:
        return
    words = []
    if situation.owner:
        words.append(f"Tell {situation.owner}, who owns {situation.service}.")
    if situation.dependencies:
        names = ", ".join(situation.dependencies[:8])
        words.append(
            f"Ask whether its dependencies are healthy, since they may be the cause: {names}."
        )
    yield RemediationStep(
        description=shorten(" ".join(words)),
        verification="The owner has answered, and open incidents of the dependencies are known.",
        rollback="Nothing to undo.",
        risk=Risk.LOW,
        requires_approval=False,
        source=Citation(runbook=runbook.id, section="service record", title=runbook.title),
    )


def render_section(
    runbook: Runbook, section: str, items: Sequence[RunbookStep], situation: Situation
) -> Iterator[RemediationStep]:
    """Render items of `Checks` or `Steps`, one step per command that fits the platform."""
    for number, item in enumerate(items, start=1):
        citation = Citation(runbook=runbook.id, section=f"{section} {number}", title=runbook.title)
        chosen = _choose_commands(item.commands, situation.platform)
        if not chosen:
            yield _render_step(item, section, citation, None, item.text, situation)
        for label, text in chosen:
            yield _render_step(item, section, citation, text, f"{label}{item.text}", situation)


def _choose_commands(commands: Mapping[Platform, str], platform: Platform) -> list[tuple[str, str]]:
    """Return labelled commands: the platform's own, else the common one, else each alternative."""
    for choice in (platform, Platform.UNKNOWN):
        if choice in commands:
            return [("", commands[choice])]
    if platform is not Platform.UNKNOWN:
        return []
    names = {Platform.KUBERNETES: "On Kubernetes: ", Platform.SYSTEMD: "Under systemd: "}
    return [(names[choice], commands[choice]) for choice in names if choice in commands]


def _render_step(
    item: RunbookStep,
    section: str,
    citation: Citation,
    template: str | None,
    text: str,
    situation: Situation,
) -> RemediationStep:
    is_check = section == "Checks"
    command = render_command(template, situation.facts) if template else None
    description = fill_text(text, situation.facts)
    if command and command.fill_in:
        description += f" Fill in {', '.join(command.fill_in)}."
    needs_person = command.verdict is not CommandVerdict.SAFE if command else False
    changes_by_hand = command is None and not is_check and item.risk is not Risk.LOW
    return RemediationStep(
        description=shorten(description),
        command=command,
        verification=shorten(fill_text(item.verification, situation.facts)),
        rollback=shorten(
            "Nothing to undo: it only reads."
            if is_check
            else fill_text(item.rollback, situation.facts)
        ),
        risk=item.risk,
        requires_approval=needs_person or changes_by_hand,
        source=citation,
    )


def render_command(template: str, facts: Mapping[str, str]) -> Command:
    """Fill the slots of a command with quoted facts and judge what comes out."""
    missing: list[str] = []
    shown: list[str] = []
    judged: list[str] = []
    position = 0
    for match in SLOT_PATTERN.finditer(template):
        slot = match.group(1)
        literal = template[position : match.start()]
        fact = facts.get(slot)
        placeholder = f"<{slot}>"
        if fact is None and placeholder not in missing:
            missing.append(placeholder)
        shown += [literal, placeholder if fact is None else shlex.quote(fact)]
        judged += [literal, _NEUTRAL.get(slot, "name") if fact is None else shlex.quote(fact)]
        position = match.end()
    verdict = judge_command("".join(judged) + template[position:])
    return Command(
        text="".join(shown) + template[position:],
        verdict=verdict.verdict,
        reason=None if verdict.verdict is CommandVerdict.SAFE else shorten(verdict.reason),
        fill_in=tuple(missing),
    )


def fill_text(text: str, facts: Mapping[str, str]) -> str:
    """Fill the slots of a sentence; a slot without a fact becomes <slot>."""
    return SLOT_PATTERN.sub(lambda match: facts.get(match.group(1), f"<{match.group(1)}>"), text)
