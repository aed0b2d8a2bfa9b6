"""The questions that the contract asks of every backend, and what they are about."""

from agents.llm.protocol import Message, Request
from schemas.classification import Classification, IncidentBrief, Judge
from schemas.finding import ShapeEvidence
from schemas.incident import Incident, LogAnalysis
from schemas.vocabulary import Category, IncidentStatus, Level, Priority, Severity

LINE = "ERROR: deadlock detected; process 71 waits for ShareLock on transaction 9"
ANALYSIS = LogAnalysis(
    summary="many errors of one kind",
    severity=Severity.HIGH,
    suggested_actions=("Look at the locks.",),
    evidence=(
        ShapeEvidence(shape_id="s1", shape=LINE, level=Level.ERROR, count=30, examples=(LINE,)),
    ),
)
INCIDENT = Incident(
    id="i1",
    revision=1,
    status=IncidentStatus.OPEN,
    service="prod/shop/orders",
    services=("prod/shop/orders",),
    fingerprint="f1",
    title="errors in orders",
    opened_ms=1,
    updated_ms=2,
    count=30,
    analysis=ANALYSIS,
)
CLASSIFICATION = Classification(
    incident_id="i1",
    revision=1,
    category=Category.DATABASE,
    subcategory="locks",
    severity=Severity.HIGH,
    priority=Priority.P2,
    confidence=0.9,
    summary="deadlocks in orders",
    judge=Judge(backend="baseline", model="m"),
    evidence=ANALYSIS.evidence,
    incident=IncidentBrief(
        service=INCIDENT.service,
        services=INCIDENT.services,
        title=INCIDENT.title,
        status=INCIDENT.status,
        opened_ms=1,
        count=30,
        analysis=ANALYSIS,
    ),
)
SMALL = {
    "type": "object",
    "properties": {"category": {"type": "string", "enum": [str(c) for c in Category]}},
    "required": ["category"],
    "additionalProperties": False,
}
QUESTION = Request(
    messages=(
        Message("system", "You judge incidents. Answer in JSON."),
        Message("user", f"Which category is this? {LINE}"),
    ),
    schema=SMALL,
    max_tokens=64,
    timeout_seconds=120.0,
    subject=INCIDENT,
)
