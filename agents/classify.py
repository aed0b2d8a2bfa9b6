"""The classify stage: incidents in, verdicts out, each revision judged once.

Comes in: Incident. Goes out: Classification. Promise: the output topic is also the stage's state,
so a verdict that the broker has is never asked for again, and an older never replaces a newer.
"""

import msgspec

from agents.delays import observe_judged
from agents.judgement import CLASSIFY
from agents.modelled import backlog_behind, judgement_of
from schemas.classification import Classification
from schemas.envelope import cloud_event_headers
from schemas.incident import Incident
from schemas.topics import CLASSIFICATIONS, INCIDENTS
from schemas.vocabulary import Category, IncidentStatus, Severity
from streams import metrics
from streams.app import Stage
from streams.delivery import Delivery
from streams.settings import Settings


class _Revision(msgspec.Struct):
    revision: int = -1


def revision_of(value: bytes) -> int:
    """Return the revision that a classification or plan speaks of, without reading the rest."""
    return msgspec.json.decode(value, type=_Revision).revision


def make_stage(settings: Settings) -> Stage:
    """Make the stage; nothing runs before its worker does."""
    stage = Stage(CLASSIFY, settings)
    table = stage.table(CLASSIFICATIONS, revision_of)
    judgement = judgement_of(stage)
    judgement.load_for(CLASSIFY)

    async def handle(delivery: Delivery) -> None:
        incident = delivery.record
        assert isinstance(incident, Incident)
        key = incident.id.encode()
        before = table.read(key)
        judged = before is not None and revision_of(before) >= incident.revision
        if judged or incident.status is IncidentStatus.MERGED:
            return
        backlog = backlog_behind(judgement, stage, delivery, INCIDENTS)
        record = await judgement.classify(incident, backlog)
        headers = cloud_event_headers(
            record,
            source=CLASSIFY,
            event_id=f"{incident.id}-{incident.revision}",
            time_ms=incident.updated_ms,
            traceparent=delivery.traceparent,
        )
        await table.write(key, record.to_bytes(), partition=delivery.partition, headers=headers)
        _measure(record)

    _begin_at_zero()
    stage.consume(INCIDENTS, [Incident], handle)
    return stage


def _begin_at_zero() -> None:
    """Make every series, so that no rate misses the first verdict of its kind."""
    for category in Category:
        for severity in Severity:
            metrics.CLASSIFICATIONS_OUT.labels(category, severity)


def _measure(record: Classification) -> None:
    metrics.CLASSIFICATIONS_OUT.labels(record.category, record.severity).inc()
    if record.abstained:
        metrics.ABSTENTIONS.inc()
    observe_judged(CLASSIFY, record)
