"""How many incidents are open, by service and by category, for a gauge.

Comes in: what correlate knows, the categories of the latest verdicts. Goes out: counts. Promise: at
most MAX_SERVICES services have a name, all others are one; a service that has a name keeps it while
it has an open incident, so that names come and go no oftener than trouble does.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agents.logic.incidents.correlation import IncidentState
from agents.logic.incidents.episodes import EpisodeRules, find_episodes
from schemas.vocabulary import IncidentStatus

MAX_SERVICES = 20
MAX_NAME_CHARS = 120
OTHER = "other"
UNJUDGED = "unjudged"


@dataclass(frozen=True, slots=True)
class Board:
    """Counts of open incidents; `by_service` may hold OTHER, `by_category` UNJUDGED."""

    by_service: Mapping[str, int]
    by_category: Mapping[str, int]


def open_services(state: IncidentState, rules: EpisodeRules) -> dict[str, str]:
    """Return id and service of each incident that is open and stands for itself."""
    episodes = find_episodes(state.conditions.values(), rules)
    return {
        episode.id: episode.service[:MAX_NAME_CHARS]
        for episode in episodes
        if (said := state.published.get(episode.id)) and said.status is IncidentStatus.OPEN
    }


def since_ms(state: IncidentState) -> int:
    """Return the event time of the oldest condition that may still change; 0 without one."""
    return min((c.first.opened_ms for c in state.conditions.values()), default=0)


def make_board(
    services: Mapping[str, str], categories: Mapping[str, str], named: Iterable[str]
) -> Board:
    """Count the open incidents of `services`; `named` are those that had a name before."""
    by_service = Counter(services.values())
    kept = [name for name in named if name in by_service][:MAX_SERVICES]
    ranked = sorted(by_service, key=lambda name: (-by_service[name], name))
    new = [name for name in ranked if name not in kept]
    shown = {*kept, *new[: MAX_SERVICES - len(kept)]}
    counted: Counter[str] = Counter()
    for name, count in by_service.items():
        counted[name if name in shown else OTHER] += count
    judged = Counter(categories.get(incident_id, UNJUDGED) for incident_id in services)
    return Board(dict(counted), dict(judged))
