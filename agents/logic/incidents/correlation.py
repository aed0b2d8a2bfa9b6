"""From findings to incidents: apply one finding, get the incidents that changed.

Comes in: the state and a finding. Goes out: the next state and the incident records to publish.
Promise: applying a finding twice changes nothing; the final records, revisions included, depend on
each service's findings in their order, never on how services interleave. `revision` rises only on a
material change: settled, a new service or kind, a step in severity, reopened.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from agents.logic.incidents.analysis import analyse, severity_of
from agents.logic.incidents.episodes import (
    Condition,
    Episode,
    EpisodeRules,
    find_episodes,
    find_roots,
)
from schemas.base import Part
from schemas.envelope import iso_time
from schemas.finding import Finding
from schemas.incident import Incident, TimelineEntry
from schemas.vocabulary import FindingPhase, IncidentStatus

SETTLE_MS = 20_000
MAX_TIES = 32
MAX_SOURCES = 32


class Published(Part):
    """What was last said of an incident."""

    revision: int
    digest: str
    status: IncidentStatus
    own: int = 0
    """Most changes that its own service's conditions ever came to."""


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
    condition = known.after(finding) if known else Condition.begin(finding)
    conditions = state.conditions | {finding.condition_id: condition}
    groups = find_incidents(conditions.values(), rules.episodes, dependencies)
    for group in _finished(groups, rules):
        groups.remove(group)
        for episode in group:
            for gone in episode.conditions:
                del conditions[gone.first.condition_id]
    kept = {episode.id for group in groups for episode in group}
    published = {i: p for i, p in state.published.items() if i in kept}
    changed = []
    for group in groups:
        # Nothing else can have changed: a finding touches the one incident that its episode is in.
        if any(condition is c for episode in group for c in episode.conditions):
            changed += _publish(group, published, rules)
    after = IncidentState(position=offset, conditions=conditions, published=published)
    return after, changed


def find_incidents(
    conditions: Iterable[Condition], rules: EpisodeRules, dependencies: Mapping[str, Iterable[str]]
) -> list[list[Episode]]:
    """Return the episodes of each incident, its root first."""
    episodes = find_episodes(conditions, rules)
    roots = find_roots(episodes, dependencies)
    groups: dict[str, list[Episode]] = {}
    for episode in episodes:
        groups.setdefault(roots[episode.id], []).append(episode)
    return list(groups.values())


def _publish(
    group: list[Episode], published: dict[str, Published], rules: IncidentRules
) -> list[Incident]:
    """Bring `published` up to date with one incident; returns the records that changed."""
    changed = []
    root = group[0]
    for episode in group:
        before = published.get(episode.id)
        own = max(_own_changes(episode), before.own if before else 0)
        # The last word on a merged id stands above all that it had while it stood alone.
        revision = _revision(group, own, rules) if episode is root else rules.max_revisions + 1
        revision = max(revision, before.revision if before else 0)
        incident = _build(group if episode is root else [episode], revision, rules)
        if episode is not root:
            merged = {"status": IncidentStatus.MERGED, "merged_into": root.id}
            incident = incident.model_copy(update=merged)
        digest = _digest(incident)
        if before is None or before.digest != digest:
            changed.append(incident)
        published[episode.id] = Published(
            revision=revision, digest=digest, status=incident.status, own=own
        )
    return changed


def _build(episodes: list[Episode], revision: int, rules: IncidentRules) -> Incident:
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
        revision=revision,
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
        ties=tuple(sorted({t for e in episodes for t in e.ties})[:MAX_TIES]),
        sources=tuple(sources[key] for key in sorted(sources))[:MAX_SOURCES],
        analysis=analysis,
        timeline=_timeline(conditions, rules.max_timeline),
        reported_by=lead.reported_by,
        description=lead.description,
        appended_ms=max(c.latest.appended_ms for c in conditions),
    )


def _revision(group: list[Episode], own: int, rules: IncidentRules) -> int:
    """Count material changes: those of the first 20 s are one, told when it has settled."""
    settled_ms = group[0].opened_ms + SETTLE_MS
    settled = any(e.last_ms >= settled_ms for e in group)
    joined = sum(e.opened_ms > settled_ms for e in group[1:])
    return min(1 + int(settled) + joined + own, rules.max_revisions)


def _own_changes(episode: Episode) -> int:
    """Count the new kinds, steps in severity and returns of one service, after it had settled.

    It may fall as a service's story goes on, so its highest value is kept; what other services add
    must only grow, or the revision would depend on whose findings came first.
    """
    conditions = sorted(episode.conditions, key=Condition.sort_key)
    early = [c for c in conditions if c.first.opened_ms <= episode.opened_ms + SETTLE_MS]
    new_kinds = len({c.first.kind for c in conditions}) - len({c.first.kind for c in early})
    now, then = severity_of(c.latest for c in conditions), severity_of(c.first for c in early)
    return new_kinds + max(0, now.rank - then.rank) + _reopened(conditions)


def _reopened(conditions: Sequence[Condition]) -> int:
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


def _finished(groups: Sequence[list[Episode]], rules: IncidentRules) -> list[list[Episode]]:
    """Return the incidents that can no longer change; whole ones, so that no id ever moves.

    An incident goes when all of it cleared too long ago to reopen, each episode by the event time
    of its own service; over the bound, the ones go that have been quiet the longest.
    """
    reached_ms: dict[str, int] = {}
    for group in groups:
        for episode in group:
            known_ms = reached_ms.get(episode.service, 0)
            reached_ms[episode.service] = max(known_ms, episode.last_ms)
    horizon_ms = 2 * rules.episodes.reopen_within_ms

    def over(episode: Episode) -> bool:
        return not episode.open and episode.last_ms < reached_ms[episode.service] - horizon_ms

    gone: list[list[Episode]] = []
    live: list[list[Episode]] = []
    for group in groups:
        (gone if all(map(over, group)) else live).append(group)
    excess = sum(map(_size, live)) - rules.max_live
    for group in sorted(live, key=_quietness) if excess > 0 else ():
        if excess <= 0:
            break
        gone.append(group)
        excess -= _size(group)
    return gone


def _size(group: list[Episode]) -> int:
    return sum(len(episode.conditions) for episode in group)


def _quietness(group: list[Episode]) -> tuple[bool, int, str]:
    return any(e.open for e in group), max(e.last_ms for e in group), group[0].id


def _digest(incident: Incident) -> str:
    return hashlib.blake2b(incident.to_bytes(), digest_size=8).hexdigest()
