"""The answer to classify, read and cleaned.

Comes in: a JSON object from a model, the incident. Goes out: ClassifyAnswer, or AnswerError.
Promise: pure; texts are plain, bounded, without links that lead anywhere and without commands; an
action that carries a command or words of hostile evidence is left out; an answer that recites its
instructions is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents.logic.answers.evidence import EvidenceText, evidence_of
from agents.logic.answers.faults import AnswerError, validated
from agents.logic.answers.prose import carries_command, recites
from agents.logic.answers.schemas import (
    MAX_ACTION,
    MAX_ACTIONS,
    MAX_SUMMARY,
    RawClassifyAnswer,
)
from agents.logic.answers.text import LINK_REMOVED, plain_text
from agents.logic.prompting.prompts import Prompt
from schemas.incident import Incident
from schemas.vocabulary import Category, Severity

_MIN_SUMMARY = 8


@dataclass(frozen=True, slots=True)
class ClassifyAnswer:
    """A usable answer; the texts are fit to be shown."""

    category: Category
    severity: Severity
    summary: str
    suggested_actions: tuple[str, ...]


def read_classify_answer(
    content: Mapping[str, Any], incident: Incident, prompt: Prompt | None = None
) -> ClassifyAnswer:
    """Validate and clean an answer; raises AnswerError saying what to mend.

    With the `prompt` given, an answer that recites its instructions is refused as well.
    """
    raw = validated(RawClassifyAnswer, content)
    evidence = evidence_of(incident)
    summary = plain_text(raw.summary, MAX_SUMMARY, quoted=evidence.links)
    faults = []
    if len(summary.replace(LINK_REMOVED, "").strip()) < _MIN_SUMMARY:
        faults.append("summary holds no sentence; say in one sentence what fails and where.")
    if carries_command(summary, evidence):
        faults.append("summary holds a command; say what fails, not what to run.")
    if prompt is not None and recites(summary, prompt.messages[0].content):
        faults.append("summary repeats the instructions; say what the data shows.")
    if faults:
        raise AnswerError(tuple(faults))
    return ClassifyAnswer(
        category=raw.category,
        severity=raw.severity,
        summary=summary,
        suggested_actions=_actions(raw.suggested_actions, evidence, prompt),
    )


def _actions(
    texts: tuple[str, ...], evidence: EvidenceText, prompt: Prompt | None
) -> tuple[str, ...]:
    """Return the usable actions, once each; the others are left out without a word."""
    kept = []
    for text in texts:
        action = plain_text(text, MAX_ACTION)
        if len(action) < _MIN_SUMMARY or LINK_REMOVED in action:
            continue
        if carries_command(action, evidence):
            continue
        if prompt is not None and recites(action, prompt.messages[0].content):
            continue
        kept.append(action)
    return tuple(dict.fromkeys(kept))[:MAX_ACTIONS]
