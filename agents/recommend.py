"""The recommend stage: verdicts in, plans out, each judged revision planned once.

Comes in: Classification. Goes out: RemediationPlan. Promise: as in classify, the output topic is
the stage's state; no plan holds an unblocked destructive command, and nothing is ever executed.
"""

from agents.classify import revision_of
from agents.delays import observe_judged
from agents.judgement import RECOMMEND
from agents.modelled import backlog_behind, judgement_of
from agents.services import ServiceDirectory
from schemas.classification import Classification
from schemas.envelope import cloud_event_headers
from schemas.remediation import CommandVerdict, RemediationPlan
from schemas.topics import CLASSIFICATIONS, REMEDIATIONS
from schemas.vocabulary import Category
from streams import metrics
from streams.app import Stage
from streams.delivery import Delivery
from streams.settings import Settings


def make_stage(settings: Settings) -> Stage:
    """Make the stage; nothing runs before its worker does."""
    stage = Stage(RECOMMEND, settings)
    table = stage.table(REMEDIATIONS, revision_of)
    judgement = judgement_of(stage)
    judgement.load_for(RECOMMEND)
    directory = ServiceDirectory(settings)

    async def handle(delivery: Delivery) -> None:
        classification = delivery.record
        assert isinstance(classification, Classification)
        key = classification.incident_id.encode()
        before = table.read(key)
        if before is not None and revision_of(before) >= classification.revision:
            return
        service = await directory.find(classification.incident.service)
        backlog = backlog_behind(judgement, stage, delivery, CLASSIFICATIONS)
        plan = await judgement.plan(classification, service, backlog)
        headers = cloud_event_headers(
            plan,
            source=RECOMMEND,
            event_id=f"{plan.incident_id}-{plan.revision}",
            time_ms=classification.incident.opened_ms,
            traceparent=delivery.traceparent,
        )
        await table.write(key, plan.to_bytes(), partition=delivery.partition, headers=headers)
        _measure(plan, classification)

    _begin_at_zero()
    stage.consume(CLASSIFICATIONS, [Classification], handle)
    return stage


def _begin_at_zero() -> None:
    """Make every series, so that no rate misses the first plan or command of its kind."""
    for category in Category:
        metrics.PLANS_OUT.labels(category)
    for verdict in CommandVerdict:
        metrics.COMMANDS_JUDGED.labels(verdict)


def _measure(plan: RemediationPlan, classification: Classification) -> None:
    metrics.PLANS_OUT.labels(plan.category).inc()
    for step in plan.steps:
        if step.command is not None:
            metrics.COMMANDS_JUDGED.labels(step.command.verdict).inc()
    observe_judged(RECOMMEND, classification)
