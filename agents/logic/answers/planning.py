"""The answer to recommend, read, cleaned, and made into a plan.

Comes in: a JSON object from a model, the passages it was offered, the facts. Goes out: PlanAnswer,
then RemediationPlan, or AnswerError. Promise: pure; every step rests on an offered passage, has a
verification and a rollback (the passage's own where the model's is not usable), and a command only
as `commands` lets it pass; a plan without a usable step is refused, so that the baseline's is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from agents.logic.answers.commands import ADDRESS, Refusal, review_command
from agents.logic.answers.evidence import EvidenceText, evidence_of, words_in
from agents.logic.answers.faults import AnswerError, validated
from agents.logic.answers.prose import carries_command, recites
from agents.logic.answers.schemas import (
    MAX_CHECK,
    MAX_DESCRIPTION,
    MAX_MINUTES,
    MAX_NOTES,
    MAX_ROLLBACK,
    MAX_STEPS,
    RawPlanAnswer,
    RawPlanStep,
)
from agents.logic.answers.suspicion import speaks_to_model
from agents.logic.answers.text import LINK_REMOVED, links_of, plain_text
from agents.logic.plans.steps import fill_text, render_command, shorten
from agents.logic.prompting.passages import Passage
from agents.logic.prompting.prompts import Prompt
from schemas.classification import Classification, Judge
from schemas.remediation import (
    Citation,
    Command,
    CommandVerdict,
    RemediationPlan,
    RemediationStep,
    Risk,
)
from schemas.services import ServiceInfo, ServiceName

_RISK_RANK = {Risk.LOW: 0, Risk.MEDIUM: 1, Risk.HIGH: 2}
_MIN_TEXT = 8
_MIN_MINUTES = 5


@dataclass(frozen=True, slots=True)
class PlanStepAnswer:
    """One step, its texts cleaned; an empty text means: take the passage's."""

    source: str
    description: str
    command: str
    verification: str
    rollback: str
    risk: Risk


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """A usable answer; the commands are not yet reviewed."""

    steps: tuple[PlanStepAnswer, ...]
    estimated_minutes: int
    risks: tuple[str, ...]
    success_criteria: tuple[str, ...]
    rollback_plan: str


def read_plan_answer(
    content: Mapping[str, Any],
    classification: Classification,
    passages: Sequence[Passage],
    prompt: Prompt | None = None,
) -> PlanAnswer:
    """Validate and clean an answer; raises AnswerError saying what to mend."""
    raw = validated(RawPlanAnswer, content)
    cleaner = _Cleaner(classification, passages, prompt)
    known = {passage.id: passage for passage in passages}
    faults = []
    for number, step in enumerate(raw.steps, start=1):
        passage = known.get(step.source.strip().upper())
        if passage is None:
            faults.append(f"Step {number} cites no offered passage; use one of {', '.join(known)}.")
        elif not passage.is_check and not (step.rollback.strip() or passage.rollback):
            faults.append(f"Step {number} changes something and has no rollback; say how to undo.")
    if faults:
        raise AnswerError(tuple(faults[:6]))
    return PlanAnswer(
        steps=tuple(cleaner.step(step) for step in raw.steps[:MAX_STEPS]),
        estimated_minutes=min(max(raw.estimated_minutes, _MIN_MINUTES), MAX_MINUTES),
        risks=cleaner.notes(raw.risks),
        success_criteria=cleaner.notes(raw.success_criteria),
        rollback_plan=cleaner.sentence(raw.rollback_plan, MAX_ROLLBACK),
    )


def plan_from_answer(
    answer: PlanAnswer,
    classification: Classification,
    service_info: ServiceInfo | None,
    passages: Sequence[Passage],
    facts: Mapping[str, str],
    *,
    judge: Judge,
) -> RemediationPlan:
    """Build the plan; raises AnswerError where no step is usable or the evidence is hostile.

    `facts` are the typed facts of the incident (`describe_situation(...).facts`).
    """
    known = {passage.id: passage for passage in passages}
    evidence = evidence_of(classification)
    if speaks_to_model(evidence):
        raise AnswerError(("Lines of the evidence speak to a language model.",))
    built: list[tuple[Passage, RemediationStep]] = []
    for step in answer.steps:
        passage = known.get(step.source)
        if passage is None:
            continue
        made = _step(step, passage, passages, facts, evidence)
        if made not in (known_step for _, known_step in built):
            built.append((passage, made))
    if not any(_is_usable(step) for _, step in built):
        raise AnswerError(("No step of the plan is usable; follow the passages more closely.",))
    # Look before you touch: a change that a model put first waits for the checks.
    built.sort(key=lambda pair: not pair[0].is_check)
    steps = tuple(step for _, step in built)
    cited = list(dict.fromkeys(passage.runbook for passage, _ in built))
    titles = {passage.runbook: passage.title for passage in passages}
    name = ServiceName.parse(classification.incident.service).service
    return RemediationPlan(
        incident_id=classification.incident_id,
        revision=classification.revision,
        service=classification.incident.service,
        title=shorten(f"{titles[cited[0]]} ({name})"),
        category=classification.category,
        severity=classification.severity,
        steps=steps,
        estimated_time=timedelta(minutes=answer.estimated_minutes),
        risks=(*answer.risks, *_warnings(classification, steps)),
        success_criteria=answer.success_criteria
        or tuple(dict.fromkeys(step.verification for step in steps[-2:])),
        rollback_plan=_rollback_plan(answer, built),
        sources=tuple(Citation(runbook=r, section="whole", title=titles[r]) for r in cited),
        owner=service_info.owner if service_info else None,
        judge=judge,
    )


class _Cleaner:
    """Cleans the texts of one answer against one incident."""

    def __init__(
        self, classification: Classification, passages: Sequence[Passage], prompt: Prompt | None
    ) -> None:
        self._evidence = evidence_of(classification)
        written = "\n".join(
            text
            for passage in passages
            for text in (passage.text, passage.command or "", passage.verification)
        )
        self._allowed = links_of(written)
        self._trusted = words_in(written)
        self._instructions = prompt.messages[0].content if prompt else ""

    def sentence(self, text: str, limit: int) -> str:
        """Return a sentence fit to be shown, or nothing where the passage's must stand in."""
        shown = plain_text(text, limit, allowed=self._allowed)
        if len(shown) < _MIN_TEXT or LINK_REMOVED in shown:
            return ""
        if carries_command(shown, self._evidence) or self._names_stranger(shown):
            return ""
        return "" if self._instructions and recites(shown, self._instructions) else shown

    def _names_stranger(self, text: str) -> bool:
        """Tell whether a text names an address that only log lines name: facts have slots."""
        told = (words_in(text) & self._evidence.words) - self._trusted
        return any(ADDRESS.fullmatch(word) for word in told)

    def notes(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Return the usable ones, once each."""
        shown = (self.sentence(text, MAX_CHECK) for text in texts)
        return tuple(dict.fromkeys(text for text in shown if text))[:MAX_NOTES]

    def step(self, raw: RawPlanStep) -> PlanStepAnswer:
        """Return one step with its texts cleaned; the command is reviewed later."""
        return PlanStepAnswer(
            source=raw.source.strip().upper(),
            description=self.sentence(raw.description, MAX_DESCRIPTION),
            command=(raw.command or "").strip(),
            verification=self.sentence(raw.verification, MAX_CHECK),
            rollback=self.sentence(raw.rollback, MAX_CHECK),
            risk=raw.risk,
        )


def _step(
    step: PlanStepAnswer,
    passage: Passage,
    passages: Sequence[Passage],
    facts: Mapping[str, str],
    evidence: EvidenceText,
) -> RemediationStep:
    """Make one step; what the model may not say, the passage says."""
    reviewed = review_command(step.command, passages, facts, evidence)
    description = step.description or fill_text(passage.text, facts)
    command: Command | None = None
    if isinstance(reviewed, Refusal):
        description += f" The model's command was left out: {reviewed.reason}."
        command = render_command(passage.command, facts) if passage.command else None
    else:
        command = reviewed
    if command and command.fill_in:
        description += f" Fill in {', '.join(command.fill_in)}."
    risk = max(step.risk, passage.risk, key=_RISK_RANK.__getitem__)
    if command and command.verdict is CommandVerdict.BLOCKED:
        risk = Risk.HIGH
    changes = command is not None and command.verdict is not CommandVerdict.SAFE
    by_hand = command is None and not passage.is_check and risk is not Risk.LOW
    return RemediationStep(
        description=shorten(description),
        command=command,
        verification=shorten(step.verification or fill_text(passage.verification, facts)),
        rollback=shorten(step.rollback or fill_text(passage.rollback, facts)),
        risk=risk,
        requires_approval=changes or by_hand,
        source=passage.citation,
    )


def _is_usable(step: RemediationStep) -> bool:
    return step.command is None or step.command.verdict is not CommandVerdict.BLOCKED


def _warnings(classification: Classification, steps: Sequence[RemediationStep]) -> list[str]:
    """Return what a person must know whatever the model wrote."""
    words = []
    if classification.abstained:
        words.append(
            f"The category is uncertain (confidence {classification.confidence:.2f}):"
            " confirm the cause with the checks before any step."
        )
    blocked = sum(
        1 for step in steps if step.command and step.command.verdict is CommandVerdict.BLOCKED
    )
    if blocked:
        words.append(
            f"{blocked} command(s) of this plan are blocked by the policy: do not run them."
        )
    return words


def _rollback_plan(answer: PlanAnswer, built: Sequence[tuple[Passage, RemediationStep]]) -> str:
    """Return the model's words and, in reverse order, how to undo each change."""
    undo = [
        f"Step {number}: {step.rollback}"
        for number, (passage, step) in enumerate(built, start=1)
        if not passage.is_check
    ]
    words = [answer.rollback_plan] if answer.rollback_plan else []
    if undo:
        words.append("Undo what was done in reverse order. " + " ".join(reversed(undo)))
    return " ".join(words) or "Nothing to undo: all steps only read."
