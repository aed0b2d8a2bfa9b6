"""What correlate writes to `incidents`: the whole present state of one incident, with its analysis.

Promise: the final record is a function of the set of findings, not of their order; `revision` rises
only on a material change, and a revision is what gets judged, once.
"""

from typing import ClassVar, Literal

from schemas.base import Count, EpochMs, Part, Record, ShortText
from schemas.digest import RawRange
from schemas.finding import ShapeEvidence
from schemas.vocabulary import FindingKind, IncidentStatus, Severity


class Anomaly(Part):
    """One abnormal condition, as a person would say it."""

    kind: FindingKind
    service: str
    statement: ShortText
    observed: float
    expected: float
    unit: str
    count: Count
    since_ms: EpochMs


class Pattern(Part):
    """One template that stands out, and how often it occurred."""

    template: ShortText
    count: Count
    service: str


class LogAnalysis(Part):
    """What the windows say, without any model: LogAnalysisResult of the requirements."""

    summary: ShortText
    anomalies: tuple[Anomaly, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    severity: Severity
    suggested_actions: tuple[ShortText, ...] = ()
    evidence: tuple[ShapeEvidence, ...] = ()


class TimelineEntry(Part):
    """One thing that happened to the incident, in event time."""

    at_ms: EpochMs
    what: ShortText


class Incident(Record):
    """The present state of one incident."""

    TYPE: ClassVar[str] = "incident"
    type: Literal["incident"] = "incident"

    id: str
    revision: Count
    status: IncidentStatus
    service: str
    services: tuple[str, ...]
    fingerprint: str
    title: ShortText
    opened_ms: EpochMs
    updated_ms: EpochMs
    resolved_ms: EpochMs | None = None
    reopened: Count = 0
    merged_into: str | None = None
    merged_from: tuple[str, ...] = ()
    count: Count
    """Events that speak for it, the largest of its conditions' counts per shape added up."""
    kinds: tuple[FindingKind, ...] = ()
    ties: tuple[ShortText, ...] = ()
    sources: tuple[RawRange, ...] = ()
    analysis: LogAnalysis
    timeline: tuple[TimelineEntry, ...] = ()
    reported_by: ShortText | None = None
    description: str | None = None
    appended_ms: EpochMs = 0
