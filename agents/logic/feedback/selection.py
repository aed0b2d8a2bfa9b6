"""What may be learnt from feedback: corrections that do not rest on one person's word alone.

Comes in: words with their voices, the verdicts they speak of, what the evidence itself says. Goes
out: one label per incident, or none. Promise: a label that only one person names, and that the
evidence does not bear out, is never learnt, however often that person repeats it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from agents.logic.feedback.wording import said_category, said_severity
from schemas.learning import Feedback
from schemas.vocabulary import Category, Severity

EVIDENCE = "the evidence"
"""Speaks as one person does: a person whom it bears out is two."""

Label = TypeVar("Label", Category, Severity)


@dataclass(frozen=True, slots=True)
class Word:
    """One person's word on one verdict."""

    feedback: Feedback
    voice: str
    """As `voice_of` says; equal voices are one person."""
    judged_category: Category
    judged_severity: Severity


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was true of one incident."""

    incident_id: str
    category: Category
    severity: Severity | None
    """None where people say too little of it: then the verdict's own is no better known."""
    supporters: int
    """Voices that name the category, the evidence included."""


def select_lessons(
    words: Iterable[Word],
    evidence: Mapping[str, Category],
    *,
    single_person: bool = False,
) -> list[Lesson]:
    """Return what may be learnt, in the order of incident ids.

    `evidence` is the category that the incident's lines speak for by themselves (the baseline's),
    by incident id. Two voices for a category are enough, the evidence being one of them, and none
    may have as many for another. `single_person` says that the team is one: then its one voice will
    do, against the evidence too.
    """
    latest: dict[tuple[str, str], Word] = {}
    for word in words:
        key = word.feedback.incident_id, word.voice
        known = latest.get(key)
        if known is None or word.feedback.given_ms >= known.feedback.given_ms:
            latest[key] = word
    by_incident: dict[str, list[Word]] = {}
    for (incident, _), word in latest.items():
        by_incident.setdefault(incident, []).append(word)
    needed = 1 if single_person else 2
    lessons = []
    for incident, theirs in sorted(by_incident.items()):
        categories = [
            (word.voice, said)
            for word in theirs
            if (said := said_category(word.feedback, word.judged_category)) is not None
        ]
        if not categories:
            continue
        if incident in evidence and not single_person:
            categories.append((EVIDENCE, evidence[incident]))
        category, supporters = _most_named(categories)
        # The evidence alone is the baseline's opinion: nothing new to learn.
        people = {voice for voice, said in categories if said is category} - {EVIDENCE}
        if category is None or supporters < needed or not people:
            continue
        severities = [
            (word.voice, said_level)
            for word in theirs
            if (said_level := said_severity(word.feedback, word.judged_severity)) is not None
        ]
        severity, votes = _most_named(severities)
        enough = severity is not None and votes >= needed
        lessons.append(Lesson(incident, category, severity if enough else None, supporters))
    return lessons


def _most_named(named: Iterable[tuple[str, Label]]) -> tuple[Label | None, int]:
    """Return the label with the most voices and their number; None where two are level."""
    voices: dict[Label, set[str]] = {}
    for voice, label in named:
        voices.setdefault(label, set()).add(voice)
    ranked = sorted(voices.items(), key=lambda item: -len(item[1]))
    if not ranked or (len(ranked) > 1 and len(ranked[1][1]) == len(ranked[0][1])):
        return None, 0
    return ranked[0][0], len(ranked[0][1])
