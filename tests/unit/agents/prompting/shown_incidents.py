"""Incidents for the tests of what a model is shown."""

from schemas.finding import ShapeEvidence
from schemas.incident import Anomaly, Incident, LogAnalysis
from schemas.vocabulary import FindingKind, IncidentStatus, Level, Severity


def shape_of(
    text: str,
    *,
    example: str | None = None,
    count: int = 5,
    problem: float = 0.5,
    level: Level | None = Level.ERROR,
) -> ShapeEvidence:
    return ShapeEvidence(
        shape_id=text[:40], shape=text[:512], level=level, count=count, problem=problem,
        examples=(example or text,),
    )  # fmt: skip


def anomaly_of(kind: FindingKind, statement: str) -> Anomaly:
    return Anomaly(
        kind=kind, service="prod/shop/web", statement=statement, observed=9, expected=1,
        unit="lines per 10 s", count=9, since_ms=1,
    )  # fmt: skip


def incident_of(
    *shapes: ShapeEvidence, anomalies: tuple[Anomaly, ...] = (), description: str | None = None,
    service: str = "prod/shop/web", title: str = "t",
) -> Incident:  # fmt: skip
    return Incident(
        id="i", revision=1, status=IncidentStatus.OPEN, service=service, services=(service,),
        fingerprint="f", title=title, opened_ms=1, updated_ms=2, count=9,
        kinds=tuple(a.kind for a in anomalies), description=description,
        analysis=LogAnalysis(
            summary="", severity=Severity.HIGH, evidence=shapes, anomalies=anomalies
        ),
    )  # fmt: skip
