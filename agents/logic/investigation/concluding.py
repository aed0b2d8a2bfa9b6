"""What follows from an investigation: a model's conclusion, cleaned, or the baseline's own.

Comes in: the case and its steps; perhaps an answer. Goes out: a Conclusion. Promise: pure; a
model's text passes the same cleaning as any answer: no command, no link, nothing recited; it must
name steps that showed something, and its confidence never exceeds what those steps carry.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from agents.logic.answers.evidence import EvidenceText, evidence_of, evidence_text
from agents.logic.answers.faults import AnswerError, validated
from agents.logic.answers.prose import carries_command, recites
from agents.logic.answers.text import LINK_REMOVED, plain_text
from agents.logic.investigation.inquiry import Done
from agents.logic.investigation.moves import Tool, object_schema
from agents.logic.investigation.observing import row_texts
from schemas.classification import Classification
from schemas.incident import Incident
from schemas.remediation import RemediationPlan

MAX_CONCLUSION = 500
MAX_CAUSE = 300
MAX_ACTION = 200
MAX_ACTIONS = 5
_LENIENCE = 8
_LEAST = 8
_STRONG = 0.6
"""From this strength on, an earlier incident or a runbook is named as the cause's kind."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is investigated, and what was known of it before."""

    incident: Incident
    verdict: Classification | None
    plan: RemediationPlan | None
    services: tuple[str, ...]
    """Those that may be asked about, the incident's own first."""
    tools: tuple[Tool, ...]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What an investigation says; all texts are fit to be shown."""

    text: str
    probable_cause: str
    confidence: float
    basis: tuple[int, ...]
    next_actions: tuple[str, ...]


class _Raw(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    conclusion: Annotated[str, Field(max_length=MAX_CONCLUSION * _LENIENCE)]
    probableCause: Annotated[str, Field(max_length=MAX_CAUSE * _LENIENCE)]  # noqa: N815
    confidencePercent: Annotated[int, Field(ge=0, le=100)]  # noqa: N815
    basis: Annotated[tuple[int, ...], Field(max_length=64)] = ()
    nextActions: Annotated[  # noqa: N815
        tuple[Annotated[str, Field(max_length=MAX_ACTION * _LENIENCE)], ...], Field(max_length=32)
    ] = ()


def conclusion_schema() -> Mapping[str, Any]:
    """Return the schema of a conclusion."""
    number = {"type": "integer", "minimum": 1, "maximum": 64}
    action = {"type": "string", "maxLength": MAX_ACTION}
    return object_schema(
        {
            "basis": {"type": "array", "items": number, "maxItems": 8},
            "conclusion": {"type": "string", "maxLength": MAX_CONCLUSION},
            "probableCause": {"type": "string", "maxLength": MAX_CAUSE},
            "confidencePercent": {"type": "integer", "minimum": 0, "maximum": 100},
            "nextActions": {"type": "array", "items": action, "maxItems": MAX_ACTIONS},
        }
    )


def evidence_seen(incident: Incident, seen: Sequence[Done]) -> EvidenceText:
    """Return all untrusted text of the incident and of what the tools showed."""
    texts = [text for done in seen if done.observation for text in row_texts(done.observation)]
    more = evidence_text(texts)
    own = evidence_of(incident)
    return EvidenceText((*own.texts, *more.texts), own.words | more.words, own.links | more.links)


def read_conclusion(
    content: Mapping[str, Any], case: Case, seen: Sequence[Done], instructions: str
) -> Conclusion:
    """Validate and clean a model's conclusion; raises AnswerError saying what to mend."""
    raw = validated(_Raw, content)
    evidence = evidence_seen(case.incident, seen)
    numbers = {done.record.number for done in seen}
    basis = tuple(number for number in dict.fromkeys(raw.basis) if number in numbers)
    faults = []
    if not basis:
        faults.append("basis must name numbers of steps that showed something.")
    texts = []
    for name, text, most in (
        ("conclusion", raw.conclusion, MAX_CONCLUSION),
        ("probableCause", raw.probableCause, MAX_CAUSE),
    ):
        plain = plain_text(text, most, quoted=evidence.links)
        if len(plain.replace(LINK_REMOVED, "").strip()) < _LEAST:
            faults.append(f"{name} holds no sentence; say what was found.")
        elif carries_command(plain, evidence):
            faults.append(f"{name} holds a command; say what was found, not what to run.")
        elif recites(plain, instructions):
            faults.append(f"{name} repeats the instructions; say what was found.")
        texts.append(plain)
    if faults:
        raise AnswerError(tuple(faults))
    carried = _carried([done for done in seen if done.record.number in basis])
    return Conclusion(
        text=texts[0],
        probable_cause=texts[1],
        confidence=round(min(raw.confidencePercent / 100, carried), 2),
        basis=basis,
        next_actions=clean_actions(raw.nextActions, evidence, instructions),
    )


def conclude(case: Case, seen: Sequence[Done]) -> Conclusion:
    """Return what follows without a model, from what the tools showed."""
    by_tool: dict[str, Done] = {}
    for done in seen:
        kept = by_tool.get(done.record.tool)
        if kept is None or _strength(done) > _strength(kept):
            by_tool[done.record.tool] = done
    change = by_tool.get(Tool.COMPARE) or by_tool.get(Tool.TEMPLATES)
    recalled, runbook = by_tool.get(Tool.SIMILAR), by_tool.get(Tool.RUNBOOKS)
    if change is not None and not _lead(change):
        change = by_tool.get(Tool.TEMPLATES)
    cause, basis = _cause(case, change, recalled, runbook)
    told = [case.verdict.summary if case.verdict else case.incident.analysis.summary]
    told += [done.record.observation for done in by_tool.values() if _strength(done) > 0]
    evidence = evidence_seen(case.incident, seen)
    return Conclusion(
        text=plain_text(" ".join(told), MAX_CONCLUSION * 2, quoted=evidence.links),
        probable_cause=plain_text(cause, MAX_CAUSE, quoted=evidence.links),
        confidence=round(_carried([by_tool[tool] for tool in by_tool]), 2),
        basis=basis or tuple(done.record.number for done in seen),
        next_actions=clean_actions(_actions(case, recalled, runbook), evidence, ""),
    )


def clean_actions(
    texts: Sequence[str], evidence: EvidenceText, instructions: str
) -> tuple[str, ...]:
    """Return the usable actions, once each; the others are left out without a word."""
    kept = []
    for text in texts:
        action = plain_text(text, MAX_ACTION)
        if len(action) < _LEAST or LINK_REMOVED in action or carries_command(action, evidence):
            continue
        if instructions and recites(action, instructions):
            continue
        kept.append(action)
    return tuple(dict.fromkeys(kept))[:MAX_ACTIONS]


def _cause(
    case: Case, change: Done | None, recalled: Done | None, runbook: Done | None
) -> tuple[str, tuple[int, ...]]:
    """Say the cause from the strongest evidence, and the steps that carry it."""
    parts, basis = [], []
    if change is not None and _lead(change):
        service = change.call.service if change.call else case.incident.service
        parts.append(f"What changed most in {service}: {_lead(change)}")
        basis.append(change.record.number)
    if recalled is not None and _strength(recalled) >= _STRONG:
        parts.append(f"It is like {_lead(recalled)}")
        basis.append(recalled.record.number)
    if runbook is not None and _strength(runbook) >= _STRONG:
        parts.append(f"It fits the runbook {_lead(runbook)}")
        basis.append(runbook.record.number)
    if not parts:
        return "The tools showed nothing that names a cause.", ()
    return ". ".join(part.rstrip(". ") for part in parts) + ".", tuple(basis)


def _actions(case: Case, recalled: Done | None, runbook: Done | None) -> list[str]:
    found = []
    if recalled is not None and _strength(recalled) >= _STRONG:
        found.append(f"Compare with {_lead(recalled)}.")
    if runbook is not None and runbook.observation is not None and runbook.observation.rows:
        checks = runbook.observation.rows[0].get("checks")
        found += checks if isinstance(checks, list) else []
    found += case.verdict.suggested_actions if case.verdict else ()
    return found + list(case.incident.analysis.suggested_actions)


def _carried(done: Sequence[Done]) -> float:
    """Return how far steps carry a cause: each further one closes half of what is open."""
    open_share = 1.0
    for strength in sorted((_strength(one) for one in done), reverse=True):
        open_share *= 1 - strength / 2
    return 1 - open_share


def _strength(done: Done) -> float:
    return done.observation.strength if done.observation else 0.0


def _lead(done: Done) -> str:
    return done.observation.lead if done.observation else ""
