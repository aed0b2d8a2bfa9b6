"""Which conditions are one incident: a pure function of the set of findings seen.

Comes in: conditions (first and latest finding of each), in the order in which they came. Goes out:
episodes, one per service and bout of trouble, and which of them are one incident across services.
Promise: the result does not depend on how findings of different services interleave; no condition
ever changes its episode and no episode its id, so that a further finding only adds to an incident.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from schemas.base import Part
from schemas.finding import Finding
from schemas.ids import content_id
from schemas.vocabulary import FindingKind, FindingPhase

MERGE_SLACK_MS = 60_000
MERGE_START_MS = 600_000
"""Two services' troubles are one only if they began within ten minutes of each other."""
LEAST_MS = 300_000
"""Trouble that lines report is believed to last so long: it clears only after as much quiet."""


class Condition(Part):
    """One abnormal condition: how it opened, its latest step, and all ties that any step named."""

    first: Finding
    latest: Finding
    ties: tuple[str, ...] = ()

    @classmethod
    def begin(cls, finding: Finding) -> "Condition":
        """Return the condition that `finding` is the first step of."""
        return cls(first=finding, latest=finding, ties=tuple(sorted(set(finding.ties))))

    def after(self, finding: Finding) -> "Condition":
        """Return the condition after a later step; a tie once named is kept."""
        ties = tuple(sorted({*self.ties, *finding.ties}))
        return Condition(first=self.first, latest=finding, ties=ties)

    @property
    def end_ms(self) -> int | None:
        """Return the slot in which it cleared; None while it lasts."""
        return self.latest.slot_ms if self.latest.phase is FindingPhase.CLEARED else None

    @property
    def reach_ms(self) -> int:
        """Return until when it lasted at least, as far as is known: it never goes back."""
        first = self.first
        least_ms = 0 if first.kind.is_absence else LEAST_MS
        return max(self.latest.slot_ms, first.opened_ms + least_ms)

    @property
    def reported(self) -> bool:
        """Tell whether a person described it."""
        return self.first.kind is FindingKind.REPORTED

    def sort_key(self) -> tuple[int, float, str]:
        """Order by opening, then by weight."""
        return self.first.opened_ms, -self.first.score, self.first.condition_id


@dataclass(frozen=True, slots=True)
class Episode:
    """One bout of trouble of one service; the condition that came first gives it its name."""

    id: str
    service: str
    conditions: tuple[Condition, ...]

    @property
    def opened_ms(self) -> int:
        """Return when the condition that came first opened."""
        return self.conditions[0].first.opened_ms

    @property
    def last_ms(self) -> int:
        """Return the latest slot that any of its conditions speaks of."""
        return max(c.latest.slot_ms for c in self.conditions)

    @property
    def open(self) -> bool:
        """Tell whether any condition lasts."""
        return any(c.end_ms is None for c in self.conditions)

    @property
    def ties(self) -> frozenset[str]:
        """Return what may tie it to other services."""
        return frozenset(t for c in self.conditions for t in c.ties)


@dataclass(frozen=True, slots=True)
class EpisodeRules:
    """When a condition joins an episode."""

    join_window_ms: int
    reopen_within_ms: int


def find_episodes(conditions: Iterable[Condition], rules: EpisodeRules) -> list[Episode]:
    """Group the conditions of each service into bouts of trouble."""
    by_service: dict[str, list[Condition]] = defaultdict(list)
    episodes = []
    for condition in conditions:
        if condition.reported:
            first = condition.first
            episode_id = content_id("incident", first.service, first.condition_id)
            episodes.append(Episode(episode_id, first.service, (condition,)))
        else:
            by_service[condition.first.service].append(condition)
    for service, listed in by_service.items():
        # Not sorted: one that opened earlier and came later would take others out of their group.
        for group in _split(listed, rules):
            opened_ms = group[0].first.opened_ms
            episode_id = content_id("incident", service, opened_ms)
            episodes.append(Episode(episode_id, service, tuple(group)))
    return sorted(episodes, key=lambda e: (e.opened_ms, e.service, e.id))


def _split(conditions: Sequence[Condition], rules: EpisodeRules) -> list[list[Condition]]:
    groups: list[list[Condition]] = []
    for condition in conditions:
        home = next((g for g in reversed(groups) if _belongs(condition, g, rules)), None)
        if home is None:
            groups.append([condition])
        else:
            home.append(condition)
    return groups


def _belongs(condition: Condition, group: Sequence[Condition], rules: EpisodeRules) -> bool:
    """Join by closeness in time, or by being the same trouble that is back."""
    opened_ms = condition.first.opened_ms
    others_ms = [c.first.opened_ms for c in group]
    window_ms = rules.join_window_ms
    if min(others_ms) - window_ms <= opened_ms <= max(others_ms) + window_ms:
        return True
    shapes = _shape_ids(condition)
    for other in group:
        ended_ms = other.end_ms if other.end_ms is not None else opened_ms
        if opened_ms - ended_ms > rules.reopen_within_ms:
            continue
        if other.first.fingerprint == condition.first.fingerprint or shapes & _shape_ids(other):
            return True
    return False


def _shape_ids(condition: Condition) -> set[str]:
    return {shape.shape_id for shape in condition.first.shapes}


def find_roots(
    episodes: Sequence[Episode], dependencies: Mapping[str, Iterable[str]]
) -> dict[str, str]:
    """Map each episode's id to the id of the incident it belongs to: the earliest one tied to it.

    Two episodes of different services are tied when they overlap in time, began within ten minutes
    of each other, and share a host, peer or trace, or one service declares to depend on the other.
    """
    parent = {episode.id: episode.id for episode in episodes}

    def find(episode_id: str) -> str:
        while parent[episode_id] != episode_id:
            episode_id = parent[episode_id]
        return episode_id

    # Episodes come sorted by opening, so linking later to earlier keeps the earliest as the root.
    order = {episode.id: i for i, episode in enumerate(episodes)}
    for i, later in enumerate(episodes):
        for earlier in reversed(episodes[:i]):
            if later.opened_ms - earlier.opened_ms > MERGE_START_MS:
                break
            if _tied(earlier, later, dependencies):
                a, b = find(earlier.id), find(later.id)
                if a != b:
                    first, second = sorted((a, b), key=order.__getitem__)
                    parent[second] = first
    return {episode.id: find(episode.id) for episode in episodes}


def _tied(earlier: Episode, later: Episode, dependencies: Mapping[str, Iterable[str]]) -> bool:
    if earlier.service == later.service:
        return False
    if earlier.conditions[0].reported or later.conditions[0].reported:
        return False
    # Not "while it is open": a clearing that comes late would then part what was joined before.
    if later.opened_ms > max(c.reach_ms for c in earlier.conditions) + MERGE_SLACK_MS:
        return False
    if earlier.ties & later.ties:
        return True
    return _depends(earlier, later, dependencies) or _depends(later, earlier, dependencies)


def _depends(one: Episode, other: Episode, dependencies: Mapping[str, Iterable[str]]) -> bool:
    """Tell whether `one` says it depends on `other`, by declaration or by naming it as a peer."""
    name = other.service.rsplit("/", 1)[-1]
    declared = set(dependencies.get(one.service, ()))
    if other.service in declared or name in declared:
        return True
    return any(tie == f"peer:{name}" or tie.startswith(f"peer:{name}:") for tie in one.ties)
