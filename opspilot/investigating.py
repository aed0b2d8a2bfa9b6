"""Investigations over Kafka: finds the incident, looks with tools, records what came of it.

Comes in: settings, an incident id. Goes out: an Investigation, on its topic too. Promise: writes
one record, and none where the present revision has one already.
"""

from agents.investigation import Asking, OnStep, ignore_step, investigate
from agents.judgement import make_model_backend
from agents.llm.calls import Caller
from agents.logic.investigation.inquiry import Budget
from agents.prompt_files import load_prompts
from opspilot.looking import read_records
from opspilot.toolbox import KafkaToolbox, Known, read_known
from schemas.envelope import cloud_event_headers
from schemas.incident import Incident
from schemas.investigation import Investigation
from schemas.topics import (
    CLASSIFICATIONS,
    FEEDBACK,
    FINDINGS,
    INCIDENTS,
    INVESTIGATIONS,
    LOGS_DIGESTS,
    REMEDIATIONS,
    SERVICES,
)
from streams.admin import check_topics
from streams.errors import InputError
from streams.kafka import make_producer, started
from streams.settings import Settings


async def investigate_incident(
    settings: Settings,
    incident_id: str,
    *,
    again: bool = False,
    budget: Budget | None = None,
    on_step: OnStep = ignore_step,
) -> Investigation:
    """Return the recorded investigation of the incident's present revision, or make and record it.

    With `again` it is always made. Raises InputError for an unknown or a merged incident, and
    BrokerError where Kafka is lost.
    """
    needed = [INCIDENTS, CLASSIFICATIONS, REMEDIATIONS, INVESTIGATIONS, FINDINGS, LOGS_DIGESTS]
    await check_topics(settings, [*needed, SERVICES, FEEDBACK])
    known = await read_known(settings)
    incident = _wanted(known, incident_id)
    if not again:
        found = await _recorded(settings, incident)
        if found is not None:
            return found
    toolbox = KafkaToolbox(settings, incident, known)
    backend = make_model_backend(settings.model, settings.judge.runbook_folders)
    try:
        asking = None
        if backend is not None:
            asking = Asking(Caller(backend, settings.model), settings.model, load_prompts())
        case = await toolbox.case()
        record = await investigate(case, toolbox, asking=asking, budget=budget, on_step=on_step)
    finally:
        await toolbox.close()
        if backend is not None:
            await backend.close()
    await _send(settings, record)
    return record


def _wanted(known: Known, incident_id: str) -> Incident:
    incident = known.incidents.get(incident_id)
    if incident is None:
        raise InputError(
            f"there is no incident {incident_id!r}: `opspilot tail incidents --from-beginning` "
            "shows those there are"
        )
    if incident.merged_into:
        raise InputError(
            f"incident {incident_id} is part of {incident.merged_into}: investigate that one"
        )
    return incident


async def _recorded(settings: Settings, incident: Incident) -> Investigation | None:
    """Return the latest investigation of this very revision, if there is one."""
    found = None
    for record in await read_records(settings, INVESTIGATIONS, Investigation):
        if record.incident_id == incident.id:
            found = record
    return found if found is not None and found.revision == incident.revision else None


async def _send(settings: Settings, record: Investigation) -> None:
    headers = cloud_event_headers(
        record,
        source="investigate",
        event_id=f"{record.incident_id}-{record.revision}-{record.at_ms}",
        time_ms=record.at_ms,
    )
    producer = make_producer(settings.kafka)
    async with started(producer, settings.kafka):
        await producer.send_and_wait(
            settings.topics.name(INVESTIGATIONS),
            key=record.incident_id.encode(),
            value=record.to_bytes(),
            headers=headers,
        )
