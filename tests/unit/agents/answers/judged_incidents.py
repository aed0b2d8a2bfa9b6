"""Incidents, verdicts and classifications for the tests of what is made of answers."""

from agents.logic.judging.verdict import Verdict
from schemas.classification import Classification, IncidentBrief, Judge
from schemas.finding import ShapeEvidence
from schemas.incident import Incident, LogAnalysis
from schemas.vocabulary import Category, IncidentStatus, Priority, Severity

LINE = "FATAL: sorry, too many clients already host=db-1.shop.internal database=orders"


def analysis_of(*lines: str) -> LogAnalysis:
    evidence = tuple(
        ShapeEvidence(shape_id=f"s{n}", shape=line[:512], count=9, problem=0.9, examples=(line,))
        for n, line in enumerate(lines)
    )
    return LogAnalysis(summary="", severity=Severity.HIGH, evidence=evidence)


def incident_of(*lines: str, count: int = 9) -> Incident:
    return Incident(
        id="i", revision=1, status=IncidentStatus.OPEN, service="prod/shop/orders",
        services=("prod/shop/orders",), fingerprint="f", title="t", opened_ms=1, updated_ms=2,
        count=count, analysis=analysis_of(*(lines or (LINE,))),
    )  # fmt: skip


def verdict_of(
    category: Category = Category.DATABASE,
    severity: Severity = Severity.HIGH,
    confidence: float = 0.8,
) -> Verdict:
    return Verdict(
        category=category, subcategory="connections", severity=severity, priority=Priority.P2,
        confidence=confidence, abstained=False, summary="The baseline says so.", problem=0.9,
    )  # fmt: skip


def classification_of(*lines: str, abstained: bool = False) -> Classification:
    analysis = analysis_of(*(lines or (LINE,)))
    return Classification(
        incident_id="i", revision=2, category=Category.DATABASE, subcategory="connections",
        severity=Severity.HIGH, priority=Priority.P2, confidence=0.4, abstained=abstained,
        summary="Connections run out.", judge=Judge(backend="baseline", model="ngrams"),
        evidence=analysis.evidence,
        incident=IncidentBrief(
            service="prod/shop/orders", services=("prod/shop/orders",), title="t",
            status=IncidentStatus.OPEN, opened_ms=1, count=9, analysis=analysis,
        ),
    )  # fmt: skip
