"""Changes of the models topic, sent in their order.

Comes in: settings, changes of roles. Goes out: acknowledged records. Promise: each change is with
the broker before the next is sent, so that a reader never sees both roles empty in between.
"""

from dataclasses import replace
from typing import Any

from agents.releases import default_champion
from schemas.envelope import cloud_event_headers
from schemas.topics import MODELS
from streams.compacted import CompactedTopic
from streams.settings import Settings
from training.roles import Change, Roles, read_roles

SOURCE = "release"


async def roles_now(settings: Settings) -> Roles:
    """Return who serves, by the topic or else by the settings; raises BrokerError."""
    topic = CompactedTopic(settings, MODELS)
    try:
        roles = read_roles(await topic.read())
    finally:
        await topic.close()
    if roles.champion is not None:
        return roles
    model = settings.model
    return replace(roles, champion=default_champion(model.backend, model.adapter, model.name))


async def publish_changes(producer: Any, settings: Settings, changes: tuple[Change, ...]) -> None:
    """Send the changes by a started producer of `streams.kafka`; raises KafkaError."""
    name = settings.topics.name(MODELS)
    for role, release in changes:
        key = str(role).encode()
        if release is None:
            await producer.send_and_wait(name, key=key, value=None, partition=0)
            continue
        event_id = f"{role}-{release.released_ms}"
        headers = cloud_event_headers(
            release, source=SOURCE, event_id=event_id, time_ms=release.released_ms
        )
        await producer.send_and_wait(
            name, key=key, value=release.to_bytes(), headers=headers, partition=0
        )
