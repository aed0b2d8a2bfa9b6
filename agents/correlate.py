"""The correlate stage: findings in, incidents out; one active member, since there is one partition.

Comes in: Finding. Goes out: Incident, in the order of the findings that changed it. Promise: the
incidents are with the broker, then the state that reflects them, then the finding is acknowledged.
"""

from agents.delays import FIRST_REVISION, observe_delay
from agents.incident_board import IncidentBoard
from agents.ledger_watch import LedgerWatch
from agents.logic.incidents.correlation import IncidentRules, IncidentState, apply_finding
from agents.logic.incidents.episodes import EpisodeRules
from agents.services import ServiceDirectory
from agents.state_codec import pack, position_of, unpack
from schemas.envelope import iso_time
from schemas.finding import Finding
from schemas.incident import Incident
from schemas.topics import CORRELATE_STATE, FINDINGS, INCIDENTS
from schemas.vocabulary import IncidentStatus
from streams import metrics
from streams.app import Stage
from streams.delivery import Delivery
from streams.outbox import Letter
from streams.settings import CorrelateSettings, Settings

STAGE = "correlate"
STATE_KEY = b"incidents"
WATCH_SECONDS = 10.0
"""Less than a scrape interval: what is shown is at most so old."""


def make_stage(settings: Settings) -> Stage:
    """Make the stage; nothing runs before its worker does."""
    stage = Stage(STAGE, settings)
    table = stage.table(CORRELATE_STATE, position_of)
    rules = incident_rules(settings.correlate)
    directory = ServiceDirectory(settings)
    memo: dict[bytes, IncidentState] = {}

    def read_state() -> IncidentState:
        value = table.read(STATE_KEY)
        if value is None:
            return IncidentState()
        # Decoding is only needed after a recovery: otherwise the value is the one just written.
        if value not in memo:
            memo.clear()
            memo[value] = IncidentState.from_bytes(unpack(value)[1])
        return memo[value]

    async def handle(delivery: Delivery) -> None:
        finding = delivery.record
        assert isinstance(finding, Finding)
        before = read_state()
        dependencies = await directory.dependencies()
        after, changed = apply_finding(before, finding, delivery.offset, rules, dependencies)
        if after is before:
            return
        await stage.outbox.publish(_letter(i, delivery.traceparent) for i in changed)
        value = pack(after.position, after.to_bytes())
        await table.write(STATE_KEY, value, partition=delivery.partition)
        memo.clear()
        memo[value] = after
        _measure(changed)

    ledger = LedgerWatch(settings)
    board = IncidentBoard(settings, rules.episodes, read_state)

    async def watch() -> None:
        # Not this stage's own affair, but it has one active member, and little else to do.
        await ledger.tend()
        await board.tend()

    stage.tend(FINDINGS, watch, WATCH_SECONDS)
    # Asked for at each scrape, so that it is right after a restart too, before any new finding.
    metrics.ACTIVE_INCIDENTS.set_function(lambda: _count_open(read_state()))
    stage.consume(FINDINGS, [Finding], handle)
    return stage


def incident_rules(settings: CorrelateSettings) -> IncidentRules:
    """Return the windows and bounds of correlation."""
    return IncidentRules(
        EpisodeRules(settings.join_window_ms, settings.reopen_within_ms),
        settings.max_revisions,
        settings.max_timeline,
        settings.max_live,
    )


def _letter(incident: Incident, traceparent: str | None) -> Letter:
    event_id = f"{incident.id}-{incident.revision}-{iso_time(incident.updated_ms)}"
    return Letter(
        INCIDENTS, incident.id, incident, event_id, incident.updated_ms, traceparent=traceparent
    )


def _count_open(state: IncidentState) -> int:
    return sum(p.status is IncidentStatus.OPEN for p in state.published.values())


def _measure(changed: list[Incident]) -> None:
    metrics.INCIDENT_REVISIONS.inc(len(changed))
    for incident in changed:
        if incident.revision == FIRST_REVISION and incident.status is IncidentStatus.OPEN:
            observe_delay(STAGE, incident.appended_ms, incident.kinds)
