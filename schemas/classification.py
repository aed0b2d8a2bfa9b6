"""What classify writes to `classifications`: the verdict on one revision of one incident.

It embeds what recommend needs of the incident, so that a plan needs no join.
"""

from typing import ClassVar, Literal

from schemas.base import Count, EpochMs, Part, Record, Share, ShortText
from schemas.finding import ShapeEvidence
from schemas.incident import LogAnalysis
from schemas.vocabulary import Category, IncidentStatus, Priority, Severity


class IncidentBrief(Part):
    """What a plan needs of the incident."""

    service: str
    services: tuple[str, ...]
    title: ShortText
    status: IncidentStatus
    opened_ms: EpochMs
    count: Count
    ties: tuple[ShortText, ...] = ()
    analysis: LogAnalysis
    description: str | None = None
    appended_ms: EpochMs = 0


class Judge(Part):
    """Who answered: enough to compare variants and to repeat the question."""

    backend: str
    model: str
    adapter: str | None = None
    variant: Literal["champion", "challenger"] = "champion"
    prompt_version: str | None = None
    fallback_reason: ShortText | None = None
    latency_ms: float = 0.0
    tokens: Count = 0


class Classification(Record):
    """The verdict on one revision: ClassificationResult of the requirements."""

    TYPE: ClassVar[str] = "classification"
    type: Literal["classification"] = "classification"

    incident_id: str
    revision: Count
    category: Category
    subcategory: ShortText
    severity: Severity
    priority: Priority
    confidence: Share
    abstained: bool = False
    """True when confidence is too low to stand alone: a person is asked instead."""
    summary: ShortText
    suggested_actions: tuple[ShortText, ...] = ()
    judge: Judge
    evidence: tuple[ShapeEvidence, ...] = ()
    incident: IncidentBrief
