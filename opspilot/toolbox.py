"""The tools of an investigation, over Kafka, for one incident.

Comes in: a call of a tool. Goes out: what it shows. Promise: reads without a group and commits
nothing, each topic at most once and within bounds.
"""

from dataclasses import dataclass, field

from aiokafka import ConsumerRecord
from pydantic import ValidationError

from agents.investigation import ToolError
from agents.logic.investigation.activity import Activity, slot_floor
from agents.logic.investigation.comparing import Period, compare, search_templates, windows
from agents.logic.investigation.concluding import Case
from agents.logic.investigation.moves import MAX_SERVICES, Tool, ToolCall
from agents.logic.investigation.observing import Observation
from agents.logic.investigation.recalling import runbook_query, search_runbooks
from agents.logic.investigation.similar import Past, similar_incidents
from agents.nearness import make_nearness
from agents.runbook_files import load_library
from opspilot.looking import look_through, read_records
from opspilot.prometheus import Prometheus
from schemas.classification import Classification
from schemas.digest import SLOT_MS, LogDigest
from schemas.finding import Finding
from schemas.incident import Incident
from schemas.learning import Feedback
from schemas.remediation import RemediationPlan
from schemas.services import ServiceInfo
from schemas.topics import (
    CLASSIFICATIONS,
    FEEDBACK,
    FINDINGS,
    INCIDENTS,
    LOGS_DIGESTS,
    REMEDIATIONS,
    SERVICES,
)
from streams.settings import Settings

MINUTE_MS = 60_000
MAX_DIGESTS = 2_000_000
"""Digests that are looked at; most are passed over unread: they are of other services."""
_LEAST_MINUTES = 120
"""So much time before the incident is read at once: most questions need no more."""
MAX_INCIDENT_MS = 6 * 60 * MINUTE_MS
"""An incident that lasts longer is looked at in its first hours: there its cause is."""
_NEAR_MS = 10 * MINUTE_MS


@dataclass(slots=True)
class Known:
    """What is known beside log lines, read once."""

    incidents: dict[str, Incident] = field(default_factory=dict)
    verdicts: dict[str, Classification] = field(default_factory=dict)
    plans: dict[str, RemediationPlan] = field(default_factory=dict)


async def read_known(settings: Settings) -> Known:
    """Read incidents, verdicts and plans; raises BrokerError."""
    known = Known()
    for incident in await read_records(settings, INCIDENTS, Incident):
        known.incidents[incident.id] = incident
    for verdict in await read_records(settings, CLASSIFICATIONS, Classification):
        known.verdicts[verdict.incident_id] = verdict
    for plan in await read_records(settings, REMEDIATIONS, RemediationPlan):
        known.plans[plan.incident_id] = plan
    return known


class KafkaToolbox:
    """The tools over the topics of one system, for one incident."""

    def __init__(self, settings: Settings, incident: Incident, known: Known) -> None:
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
        self._findings = await read_records(self._settings, FINDINGS, Finding)
        infos = {
            info.service: info for info in await read_records(self._settings, SERVICES, ServiceInfo)
        }
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

        await look_through(self._settings, LOGS_DIGESTS, take, since_ms, MAX_DIGESTS)
        return found

    async def _pasts(self) -> list[Past]:
        said: dict[str, list[Feedback]] = {}
        for word in await read_records(self._settings, FEEDBACK, Feedback):
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
