"""The recommend stage: verdicts in, plans out, each judged revision planned once.

Comes in: Classification. Goes out: RemediationPlan. Promise: as in classify, the output topic is
the stage's state; no plan holds an unblocked destructive command, and nothing is ever executed.
"""

from time import perf_counter

from agents.classify import BACKEND, revision_of
from agents.logic.plans.planning import build_plan
from agents.runbook_files import load_library
from agents.services import ServiceDirectory
from schemas.classification import Classification
from schemas.envelope import cloud_event_headers
from schemas.remediation import RemediationPlan
from schemas.topics import CLASSIFICATIONS, REMEDIATIONS
from streams import metrics
from streams.app import Delivery, Stage
from streams.clock import now_ms
from streams.settings import Settings

STAGE = "recommend"


def make_stage(settings: Settings) -> Stage:
    """Make the stage; nothing runs before its worker does."""
    stage = Stage(STAGE, settings)
    table = stage.table(REMEDIATIONS, revision_of)
    library = load_library(settings.judge.runbook_folders)
    directory = ServiceDirectory(settings)

    async def handle(delivery: Delivery) -> None:
        classification = delivery.record
        assert isinstance(classification, Classification)
        key = classification.incident_id.encode()
        before = table.read(key)
        if before is not None and revision_of(before) >= classification.revision:
            return
        service = await directory.find(classification.incident.service)
        started = perf_counter()
        plan = build_plan(classification, service, library)
        metrics.LLM_INFERENCE_LATENCY.labels(BACKEND, STAGE).observe(perf_counter() - started)
        headers = cloud_event_headers(
            plan,
            source=STAGE,
            event_id=f"{plan.incident_id}-{plan.revision}",
            time_ms=classification.incident.opened_ms,
            traceparent=delivery.traceparent,
        )
        await table.write(key, plan.to_bytes(), partition=delivery.partition, headers=headers)
        _measure(plan, classification)

    stage.consume(CLASSIFICATIONS, [Classification], handle)
    return stage


def _measure(plan: RemediationPlan, classification: Classification) -> None:
    metrics.PLANS_OUT.labels(plan.category).inc()
    for step in plan.steps:
        if step.command is not None:
            metrics.COMMANDS_JUDGED.labels(step.command.verdict).inc()
    if classification.incident.appended_ms:
        delay_seconds = max(0, now_ms() - classification.incident.appended_ms) / 1000
        metrics.END_TO_END_DELAY.labels(STAGE).observe(delay_seconds)
