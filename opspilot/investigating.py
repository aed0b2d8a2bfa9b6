"""Investigations over Kafka: finds the incident, looks with tools, records what came of it.

Comes in: settings, an incident id. Goes out: an Investigation, on its topic too. Promise: reads
without a group and commits nothing, each topic at most once and within bounds; writes one record.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from agents.investigation import Asking, OnStep, ToolError, ignore_step, investigate
from agents.judgement import make_model_backend
from agents.llm.calls import Caller
from agents.logic.investigation.activity import Activity, slot_floor
from agents.logic.investigation.comparing import Period, compare, search_templates, windows
from agents.logic.investigation.concluding import Case
from agents.logic.investigation.inquiry import Budget
from agents.logic.investigation.moves import MAX_SERVICES, Tool, ToolCall
from agents.logic.investigation.observing import Observation
from agents.logic.investigation.recalling import runbook_query, search_runbooks
from agents.logic.investigation.similar import Past, similar_incidents
from agents.nearness import make_nearness
from agents.prompt_files import load_prompts
from agents.runbook_files import load_library
from opspilot.prometheus import Prometheus
from schemas.base import Record
from schemas.classification import Classification
from schemas.digest import SLOT_MS, LogDigest
from schemas.envelope import cloud_event_headers
from schemas.finding import Finding
from schemas.incident import Incident
from schemas.investigation import Investigation
from schemas.learning import Feedback
from schemas.remediation import RemediationPlan
from schemas.services import ServiceInfo
from schemas.topics import (
    CLASSIFICATIONS,
    FEEDBACK,
    FINDINGS,
    INCIDENTS,
    INVESTIGATIONS,
    LOGS_DIGESTS,
    REMEDIATIONS,
    SERVICES,
    Cleanup,
    Topic,
)
from streams.admin import check_topics
from streams.errors import BrokerError, InputError
from streams.kafka import make_producer, started
from streams.settings import Settings
from streams.tailing import TopicTail

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Record)

MINUTE_MS = 60_000
MAX_RECORDS = 200_000
"""Records of one topic that are looked at; the log says so where there are more."""
MAX_DIGESTS = 2_000_000
"""The same for digests, of which most are passed over unread: they are of other services."""
_LEAST_MINUTES = 120
"""So much time before the incident is read at once: most questions need no more."""
MAX_INCIDENT_MS = 6 * 60 * MINUTE_MS
"""An incident that lasts longer is looked at in its first hours: there its cause is."""
_NEAR_MS = 10 * MINUTE_MS


class _EnoughError(Exception):
    """The bound of records is reached."""


@dataclass(slots=True)
class _Known:
    """What is known beside log lines, read once."""

    incidents: dict[str, Incident] = field(default_factory=dict)
    verdicts: dict[str, Classification] = field(default_factory=dict)
    plans: dict[str, RemediationPlan] = field(default_factory=dict)


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
    known = await _read_known(settings)
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


class KafkaToolbox:
    """The tools over the topics of one system, for one incident."""

    def __init__(self, settings: Settings, incident: Incident, known: _Known) -> None:
        self._settings = settings
        self._incident = incident
        self._known = known
        self._findings: list[Finding] | None = None
        self._activities: dict[str, Activity] = {}
        self._read_minutes = 0
        self._services: tuple[str, ...] = (incident.service,)
        url = settings.model.prometheus_url
        self._prometheus = Prometheus(url) if url else None
        self._nearness = make_nearness(settings.judge)
        begin = slot_floor(incident.opened_ms)
        end = max(incident.updated_ms, incident.resolved_ms or 0, begin) + SLOT_MS
        self._now = Period(begin, min(slot_floor(end) + SLOT_MS, begin + MAX_INCIDENT_MS))

    async def case(self) -> Case:
        """Return what is investigated, with the services that may be asked about."""
        incident = self._incident
        self._findings = await _read(self._settings, FINDINGS, Finding)
        infos = {info.service: info for info in await _read(self._settings, SERVICES, ServiceInfo)}
        near = [
            finding.service
            for finding in self._findings
            if self._now.from_ms - _NEAR_MS <= finding.slot_ms < self._now.to_ms
        ]
        own = infos.get(incident.service)
        wanted = [incident.service, *incident.services, *(own.dependencies if own else ())]
        self._services = tuple(dict.fromkeys([*wanted, *near]))[:MAX_SERVICES]
        return Case(
            incident=incident,
            verdict=self._known.verdicts.get(incident.id),
            plan=self._known.plans.get(incident.id),
            services=self._services,
            tools=tuple(t for t in Tool if t is not Tool.METRICS or self._prometheus),
        )

    async def use(self, call: ToolCall) -> Observation:
        """Look; raises ToolError or BrokerError."""
        before = Period(self._now.from_ms - call.minutes * MINUTE_MS, self._now.from_ms)
        both = Period(before.from_ms, self._now.to_ms)
        match call.tool:
            case Tool.COMPARE:
                return compare(await self._activity(call), self._now, before)
            case Tool.TEMPLATES:
                return search_templates(await self._activity(call), call.text, both)
            case Tool.WINDOWS:
                told = [f for f in self._findings or () if f.service == call.service]
                return windows(await self._activity(call), both, told)
            case Tool.SIMILAR:
                return similar_incidents(self._incident, await self._pasts())
            case Tool.RUNBOOKS:
                return await self._runbooks(call.text)
            case Tool.METRICS:
                if self._prometheus is None:
                    raise ToolError("no Prometheus is configured (OPSPILOT_MODEL__PROMETHEUS_URL)")
                return await self._prometheus.query(call.text, both, self._now.from_ms)

    async def close(self) -> None:
        """Let go of connections."""
        if self._nearness is not None:
            await self._nearness.close()

    async def _runbooks(self, words: str) -> Observation:
        library = load_library(self._settings.judge.runbook_folders)
        verdict = self._known.verdicts.get(self._incident.id)
        query = runbook_query(words, verdict, self._incident.service)
        near = await self._nearness.closeness(query, library) if self._nearness else None
        return search_runbooks(library, query, near)

    async def _activity(self, call: ToolCall) -> Activity:
        if call.minutes > self._read_minutes or not self._activities:
            minutes = max(_LEAST_MINUTES, call.minutes)
            self._activities = await self._read_activities(minutes)
            self._read_minutes = minutes
        return self._activities[call.service]

    async def _read_activities(self, minutes: int) -> dict[str, Activity]:
        begin = self._now.from_ms - minutes * MINUTE_MS
        found = {service: Activity(begin, self._now.to_ms) for service in self._services}
        keys = {service.encode() for service in found}
        # Append time is at most a little before event time (replayed lines come later), so what
        # was appended this long before the incident's lines is older than any baseline period.
        appended = min(self._incident.opened_ms, self._incident.appended_ms or 0)
        since_ms = max(0, appended - (minutes + 60) * MINUTE_MS)

        def take(record: ConsumerRecord) -> None:
            if record.key not in keys or record.value is None:
                return
            try:
                digest = LogDigest.from_bytes(record.value)
            except ValidationError:
                return  # progress, or of a newer version
            found[digest.service].add(digest)

        await _tail(self._settings, LOGS_DIGESTS, take, since_ms, MAX_DIGESTS)
        return found

    async def _pasts(self) -> list[Past]:
        said: dict[str, list[Feedback]] = {}
        for word in await _read(self._settings, FEEDBACK, Feedback):
            said.setdefault(word.incident_id, []).append(word)
        return [
            Past(
                incident,
                self._known.verdicts.get(incident.id),
                self._known.plans.get(incident.id),
                tuple(said.get(incident.id, ())),
            )
            for incident in self._known.incidents.values()
        ]


async def _read_known(settings: Settings) -> _Known:
    known = _Known()
    for incident in await _read(settings, INCIDENTS, Incident):
        known.incidents[incident.id] = incident
    for verdict in await _read(settings, CLASSIFICATIONS, Classification):
        known.verdicts[verdict.incident_id] = verdict
    for plan in await _read(settings, REMEDIATIONS, RemediationPlan):
        known.plans[plan.incident_id] = plan
    return known


def _wanted(known: _Known, incident_id: str) -> Incident:
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
    for record in await _read(settings, INVESTIGATIONS, Investigation):
        if record.incident_id == incident.id:
            found = record
    return found if found is not None and found.revision == incident.revision else None


async def _read(settings: Settings, topic: Topic, kind: type[R]) -> list[R]:
    """Return the records of a topic, of a compacted one the latest per key; unreadable ones not."""
    latest: dict[object, bytes] = {}
    compacted = topic.cleanup is not Cleanup.DELETE

    def take(record: ConsumerRecord) -> None:
        key = record.key if compacted else (record.partition, record.offset)
        latest.pop(key, None)
        if record.value is not None:
            latest[key] = record.value

    await _tail(settings, topic, take)
    found = []
    for value in latest.values():
        try:
            found.append(kind.from_bytes(value))
        except ValidationError:
            continue
    return found


async def _tail(
    settings: Settings,
    topic: Topic,
    take: Callable[[ConsumerRecord], None],
    since_ms: int = 0,
    most: int = MAX_RECORDS,
) -> None:
    seen = 0

    def bounded(record: ConsumerRecord) -> None:
        nonlocal seen
        seen += 1
        if seen > most:
            raise _EnoughError
        take(record)

    tail = TopicTail(settings, topic, since_ms)
    try:
        await tail.read_new(bounded)
    except _EnoughError:
        log.warning("of topic %s only %d records were looked at", topic.short, most)
    finally:
        await tail.close()


async def _send(settings: Settings, record: Investigation) -> None:
    headers = cloud_event_headers(
        record,
        source="investigate",
        event_id=f"{record.incident_id}-{record.revision}-{record.at_ms}",
        time_ms=record.at_ms,
    )
    producer = make_producer(settings.kafka)
    async with started(producer, settings.kafka):
        try:
            await producer.send_and_wait(
                settings.topics.name(INVESTIGATIONS),
                key=record.incident_id.encode(),
                value=record.to_bytes(),
                headers=headers,
            )
        except KafkaError as error:
            raise BrokerError(f"Kafka refused the investigation: {error}") from None
