"""The classify stage: incidents in, verdicts out, each revision judged once.

Comes in: Incident. Goes out: Classification. Promise: the output topic is also the stage's state,
so a verdict that the broker has is never asked for again, and an older never replaces a newer.
"""

from time import perf_counter

import msgspec

from agents.logic.judging.classifier import load_classifier
from agents.logic.judging.incidents import judge_incident
from agents.logic.judging.verdict import Verdict
from schemas.classification import Classification, IncidentBrief, Judge
from schemas.envelope import cloud_event_headers
from schemas.incident import Incident
from schemas.topics import CLASSIFICATIONS, INCIDENTS
from schemas.vocabulary import IncidentStatus
from streams import metrics
from streams.app import Delivery, Stage
from streams.clock import now_ms
from streams.settings import Settings

STAGE = "classify"
BACKEND = "baseline"


class _Revision(msgspec.Struct):
    revision: int = -1


def revision_of(value: bytes) -> int:
    """Return the revision that a classification or plan speaks of, without reading the rest."""
    return msgspec.json.decode(value, type=_Revision).revision


def make_stage(settings: Settings) -> Stage:
    """Make the stage; nothing runs before its worker does."""
    stage = Stage(STAGE, settings)
    table = stage.table(CLASSIFICATIONS, revision_of)
    classifier = load_classifier()
    model = f"baseline-{classifier.meta['events_sha256'][:12]}"

    async def handle(delivery: Delivery) -> None:
        incident = delivery.record
        assert isinstance(incident, Incident)
        key = incident.id.encode()
        before = table.read(key)
        judged = before is not None and revision_of(before) >= incident.revision
        if judged or incident.status is IncidentStatus.MERGED:
            return
        started = perf_counter()
        verdict = judge_incident(incident, classifier)
        latency_seconds = perf_counter() - started
        record = to_record(incident, verdict, model, latency_seconds * 1000)
        headers = cloud_event_headers(
            record,
            source=STAGE,
            event_id=f"{incident.id}-{incident.revision}",
            time_ms=incident.updated_ms,
            traceparent=delivery.traceparent,
        )
        await table.write(key, record.to_bytes(), partition=delivery.partition, headers=headers)
        metrics.LLM_INFERENCE_LATENCY.labels(BACKEND, STAGE).observe(latency_seconds)
        _measure(record)

    stage.consume(INCIDENTS, [Incident], handle)
    return stage


def to_record(
    incident: Incident, verdict: Verdict, model: str, latency_ms: float
) -> Classification:
    """Put a verdict and what recommend needs of the incident into one record."""
    return Classification(
        incident_id=incident.id,
        revision=incident.revision,
        category=verdict.category,
        subcategory=verdict.subcategory,
        severity=verdict.severity,
        priority=verdict.priority,
        confidence=verdict.confidence,
        abstained=verdict.abstained,
        summary=verdict.summary[:512],
        suggested_actions=incident.analysis.suggested_actions,
        judge=Judge(backend=BACKEND, model=model, latency_ms=round(latency_ms, 3)),
        evidence=incident.analysis.evidence,
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


def _measure(record: Classification) -> None:
    metrics.CLASSIFICATIONS_OUT.labels(record.category, record.severity).inc()
    if record.abstained:
        metrics.ABSTENTIONS.inc()
    if record.incident.appended_ms:
        delay_seconds = max(0, now_ms() - record.incident.appended_ms) / 1000
        metrics.END_TO_END_DELAY.labels(STAGE).observe(delay_seconds)
