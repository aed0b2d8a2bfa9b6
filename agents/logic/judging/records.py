"""The record of a verdict, and what recommend needs of its incident.

Comes in: an incident, the verdict on it, who judged. Goes out: a Classification. Promise: pure; a
plan can be made from the record alone.
"""

from agents.logic.judging.verdict import Verdict
from agents.logic.judging.words import words_of
from schemas.classification import Classification, IncidentBrief, Judge
from schemas.finding import ShapeEvidence
from schemas.incident import Incident

MAX_SUMMARY = 512


def to_record(
    incident: Incident, verdict: Verdict, judge: Judge, suggested_actions: tuple[str, ...] = ()
) -> Classification:
    """Put a verdict and what recommend needs of the incident into one record.

    `suggested_actions` are a model's; without any, those of the analysis stand.
    """
    return Classification(
        incident_id=incident.id,
        revision=incident.revision,
        category=verdict.category,
        subcategory=verdict.subcategory,
        severity=verdict.severity,
        priority=verdict.priority,
        confidence=verdict.confidence,
        abstained=verdict.abstained,
        summary=verdict.summary[:MAX_SUMMARY],
        suggested_actions=suggested_actions or incident.analysis.suggested_actions,
        judge=judge,
        evidence=_standing(incident, verdict),
        incident=IncidentBrief(
            service=incident.service,
            services=incident.services,
            title=incident.title,
            status=incident.status,
            opened_ms=incident.opened_ms,
            count=incident.count,
            ties=incident.ties,
            analysis=incident.analysis,
            description=incident.description,
            appended_ms=incident.appended_ms,
        ),
    )


def _standing(incident: Incident, verdict: Verdict) -> tuple[ShapeEvidence, ...]:
    """Return the shapes that the verdict rests on: a plan is made for them alone."""
    shapes = incident.analysis.evidence
    standing = tuple(shape for shape in shapes if tuple(words_of(shape.text)) in verdict.rests_on)
    return standing or shapes
