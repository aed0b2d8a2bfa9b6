"""From findings to incidents: apply one finding, get the incidents that changed.

Comes in: the state and a finding. Goes out: the next state and the incident records to publish.
Promise: applying a finding twice changes nothing; the final records are a function of the set of
findings; `revision` rises only on a material change (DESIGN: settled, new service or kind, a step
in severity, reopened).
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import Field

from agents.logic.analysis import analyse, severity_of
from agents.logic.episodes import Condition, Episode, EpisodeRules, find_episodes, find_roots
from schemas.base import Part
from schemas.envelope import iso_time
from schemas.finding import Finding
from schemas.incident import Incident, TimelineEntry
from schemas.vocabulary import FindingPhase, IncidentStatus

SETTLE_MS = 20_000


class Published(Part):
    """What was last said of an incident."""

    revision: int
    digest: str
    status: IncidentStatus


class IncidentState(Part):
    """All that may still change; `position` is the offset of the last finding it reflects."""

    position: int = -1
    conditions: dict[str, Condition] = Field(default_factory=dict)
    published: dict[str, Published] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IncidentRules:
    """Bounds and windows of correlation, in milliseconds of event time."""

    episodes: EpisodeRules
    max_revisions: int
    max_timeline: int
    max_live: int


def apply_finding(
    state: IncidentState,
    finding: Finding,
    offset: int,
    rules: IncidentRules,
    dependencies: Mapping[str, Iterable[str]],
) -> tuple[IncidentState, list[Incident]]:
    """Take in one finding; returns the next state and the incidents to publish."""
    if offset <= state.position:
        return state, []
    known = state.conditions.get(finding.condition_id)
    if known is not None and finding.sequence <= known.latest.sequence:
        return state.model_copy(update={"position": offset}), []
    first = known.first if known else finding
    conditions = state.conditions | {finding.condition_id: Condition(first=first, latest=finding)}
    conditions = _retire(conditions, finding, rules)
    incidents = derive(conditions.values(), rules, dependencies)
    published = {i: p for i, p in state.published.items() if i in incidents}
    changed = []
    for incident_id, incident in incidents.items():
        before = published.get(incident_id)
        if before is not None and before.revision > incident.revision:
            incident = incident.model_copy(update={"revision": before.revision})
        digest = _digest(incident)
        if before is None or before.digest != digest:
            published[incident_id] = Published(
                revision=incident.revision, digest=digest, status=incident.status
            )
            changed.append(incident)
    after = IncidentState(position=offset, conditions=conditions, published=published)
    return after, changed


def derive(
    conditions: Iterable[Condition], rules: IncidentRules, dependencies: Mapping[str, Iterable[str]]
) -> dict[str, Incident]:
    """Return every incident that the conditions make, by id."""
    episodes = find_episodes(conditions, rules.episodes)
    roots = find_roots(episodes, dependencies)
    members: dict[str, list[Episode]] = {}
    for episode in episodes:
        members.setdefault(roots[episode.id], []).append(episode)
    incidents = {}
    for episode in episodes:
        root = roots[episode.id]
        joined = members[root] if root == episode.id else [episode]
        incident = _build(joined, rules)
        if root != episode.id:
            incident = incident.model_copy(
                update={"status": IncidentStatus.MERGED, "merged_into": root}
            )
        incidents[episode.id] = incident
    return incidents


def _build(episodes: list[Episode], rules: IncidentRules) -> Incident:
    root = episodes[0]
    conditions = sorted((c for e in episodes for c in e.conditions), key=Condition.sort_key)
    services = tuple(dict.fromkeys(e.service for e in episodes))
    opened_ms = root.opened_ms
    ended = [c.end_ms for c in conditions]
    resolved = all(end is not None for end in ended)
    lead = root.conditions[0].first
    analysis = analyse(conditions, services, iso_time(opened_ms))
    sources = {
        (s.topic, s.partition, s.from_offset): s for c in conditions for s in c.latest.sources
    }
    return Incident(
        id=root.id,
        revision=_revision(conditions, services, opened_ms, rules),
        status=IncidentStatus.RESOLVED if resolved else IncidentStatus.OPEN,
        service=root.service,
        services=services,
        fingerprint=lead.fingerprint,
        title=f"{root.service.rsplit('/', 1)[-1]}: {analysis.anomalies[0].statement}"[:512],
        opened_ms=opened_ms,
        updated_ms=max(c.latest.slot_ms for c in conditions),
        resolved_ms=max(end for end in ended if end is not None) if resolved else None,
        reopened=_reopened(conditions),
        merged_from=tuple(e.id for e in episodes[1:]),
        count=_count(conditions),
        kinds=tuple(sorted({c.first.kind for c in conditions})),
        ties=tuple(sorted({t for e in episodes for t in e.ties})[:32]),
        sources=tuple(sources[key] for key in sorted(sources))[:32],
        analysis=analysis,
        timeline=_timeline(conditions, rules.max_timeline),
        reported_by=lead.reported_by,
        description=lead.description,
        appended_ms=max(c.latest.appended_ms for c in conditions),
    )


def _revision(
    conditions: list[Condition], services: tuple[str, ...], opened_ms: int, rules: IncidentRules
) -> int:
    """Count material changes: those of the first 20 s are one, told when it has settled."""
    settled_ms = opened_ms + SETTLE_MS
    early = [c for c in conditions if c.first.opened_ms <= settled_ms]
    settled = any(c.latest.slot_ms >= settled_ms for c in conditions)
    new_services = len(services) - len({c.first.service for c in early})
    new_kinds = len({c.first.kind for c in conditions}) - len({c.first.kind for c in early})
    steps = (
        severity_of(c.latest for c in conditions).rank - severity_of(c.first for c in early).rank
    )
    changes = int(settled) + new_services + new_kinds + max(0, steps) + _reopened(conditions)
    return min(1 + changes, rules.max_revisions)


def _reopened(conditions: list[Condition]) -> int:
    """Count the gaps in which nothing was wrong."""
    gaps, end_ms = 0, None
    for condition in conditions:
        if end_ms is not None and condition.first.opened_ms > end_ms:
            gaps += 1
        if condition.end_ms is None:
            break
        end_ms = max(end_ms or 0, condition.end_ms)
    return gaps


def _count(conditions: Iterable[Condition]) -> int:
    """Add up the events of each shape once, by the condition that saw most of them."""
    most: dict[tuple[str, str], int] = {}
    for condition in conditions:
        finding = condition.latest
        for shape in finding.shapes:
            key = finding.service, shape.shape_id
            most[key] = max(most.get(key, 0), shape.count)
    return sum(most.values())


def _timeline(conditions: Iterable[Condition], bound: int) -> tuple[TimelineEntry, ...]:
    entries = []
    for condition in conditions:
        first, latest = condition.first, condition.latest
        service = first.service.rsplit("/", 1)[-1]
        entries.append(
            TimelineEntry(at_ms=first.opened_ms, what=f"{service}: {first.statement}"[:512])
        )
        if latest.phase is FindingPhase.CLEARED:
            what = f"{service}: cleared after {latest.count} events: {first.statement}"
            entries.append(TimelineEntry(at_ms=latest.slot_ms, what=what[:512]))
    entries.sort(key=lambda e: (e.at_ms, e.what))
    if len(entries) > bound:
        # How it began explains most, so a fifth of the room is kept for it.
        head = bound // 5
        entries = entries[:head] + entries[head - bound :]
    return tuple(entries)


def _retire(
    conditions: Mapping[str, Condition], finding: Finding, rules: IncidentRules
) -> dict[str, Condition]:
    """Let go of episodes that can no longer change; whole ones, so that no id ever moves.

    An episode goes when all of it cleared too long ago to reopen, by its own service's event time,
    or, over the bound, when it is the one that has been quiet the longest.
    """
    horizon_ms = finding.slot_ms - 2 * rules.episodes.reopen_within_ms
    kept = dict(conditions)
    own = [c for c in conditions.values() if c.first.service == finding.service]
    for episode in find_episodes(own, rules.episodes):
        if not episode.open and episode.last_ms < horizon_ms:
            _forget(kept, episode)
    if len(kept) > rules.max_live:
        quiet = sorted(
            find_episodes(kept.values(), rules.episodes), key=lambda e: (e.open, e.last_ms, e.id)
        )
        for episode in quiet:
            if len(kept) <= rules.max_live:
                break
            _forget(kept, episode)
    return kept


def _forget(conditions: dict[str, Condition], episode: Episode) -> None:
    for condition in episode.conditions:
        del conditions[condition.first.condition_id]


def _digest(incident: Incident) -> str:
    return hashlib.blake2b(incident.to_bytes(), digest_size=8).hexdigest()
