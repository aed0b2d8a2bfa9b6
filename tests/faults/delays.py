"""How long each failure took to become an incident and a plan, from what stands on the topics.

Comes in: the episodes that were written. Goes out: for each the seconds from its first bad line to
the broker's append of its first incident and of that incident's first plan. An episode without an
incident is named, because it would be a lost failure.
"""

from dataclasses import dataclass

from opspilot.reading import TopicReader
from schemas.incident import Incident
from schemas.remediation import RemediationPlan
from schemas.topics import INCIDENTS, REMEDIATIONS
from streams.settings import Settings

from .steady import Episode


@dataclass(frozen=True, slots=True)
class Delay:
    """Seconds since the first bad line; None where nothing came."""

    episode: Episode
    incident: float | None
    plan: float | None


async def delays(settings: Settings, episodes: list[Episode]) -> list[Delay]:
    """Work out the delay of each episode; the topics must be complete."""
    topics = [settings.topics.name(INCIDENTS), settings.topics.name(REMEDIATIONS)]
    incidents: list[tuple[int, Incident]] = []
    plans: dict[str, list[int]] = {}
    async with TopicReader(settings.kafka, topics) as reader:
        for record in await reader.read_to_end():
            if record.value is None:
                continue
            if record.topic == topics[0]:
                incidents.append((record.timestamp, Incident.from_bytes(record.value)))
            else:
                plan = RemediationPlan.from_bytes(record.value)
                plans.setdefault(plan.incident_id, []).append(record.timestamp)
    return [_delay(episode, incidents, plans) for episode in episodes]


def _delay(
    episode: Episode, incidents: list[tuple[int, Incident]], plans: dict[str, list[int]]
) -> Delay:
    after = [
        (appended_ms, incident.id)
        for appended_ms, incident in incidents
        if appended_ms >= episode.began_ms
        and any(name.endswith(f"/{episode.service}") for name in incident.services)
    ]
    if not after:
        return Delay(episode, None, None)
    first_ms, incident_id = min(after)
    planned = [ms for ms in plans.get(incident_id, []) if ms >= first_ms]
    return Delay(
        episode,
        (first_ms - episode.began_ms) / 1_000,
        (min(planned) - episode.began_ms) / 1_000 if planned else None,
    )
