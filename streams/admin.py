"""Topics as they must be: created where missing, compared where present, never repaired silently.

Comes in: settings and the topic map. Goes out: topics with a leader for every partition, or one
TopicError that names each difference and what to do about it.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from schemas.topics import TOPICS, WIDTH_SETTINGS, Topic
from streams.errors import BrokerError, TopicError
from streams.kafka import make_admin, started
from streams.settings import Settings

LEADER_WAIT_SECONDS = 30.0
COMPARED = ("cleanup.policy", "retention.ms", "message.timestamp.type", "max.message.bytes")


async def create_topics(settings: Settings) -> list[str]:
    """Create what is missing and return its names; raises TopicError where something differs."""
    async with started(make_admin(settings.kafka), settings.kafka) as admin:
        existing = set(await admin.list_topics())
        missing = [t for t in TOPICS.values() if settings.topics.name(t) not in existing]
        if missing:
            await _create(admin, settings, missing)
        await _wait_for_leaders(admin, [settings.topics.name(t) for t in TOPICS.values()])
        problems = await find_differences(admin, settings)
    if problems:
        raise TopicError("; ".join(problems))
    return [settings.topics.name(t) for t in missing]


async def check_topics(settings: Settings, needed: Iterable[Topic]) -> None:
    """Raise TopicError unless every topic in `needed` exists as the map says."""
    async with started(make_admin(settings.kafka), settings.kafka) as admin:
        problems = await find_differences(admin, settings, needed)
    if problems:
        raise TopicError("; ".join(problems))


async def _create(admin: AIOKafkaAdminClient, settings: Settings, missing: Iterable[Topic]) -> None:
    new = [
        NewTopic(
            name=settings.topics.name(topic),
            num_partitions=settings.topics.partitions(topic),
            replication_factor=settings.topics.replication,
            topic_configs=topic.config(),
        )
        for topic in missing
    ]
    try:
        response = await admin.create_topics(new, timeout_ms=int(LEADER_WAIT_SECONDS * 1000))
    except TopicAlreadyExistsError:
        return  # another process created them at the same moment; the comparison decides
    except KafkaError as error:
        msg = f"cannot create topics: {error}; does this user have the right Create on the cluster?"
        raise BrokerError(msg) from None
    for name, code, *message in response.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            if for_code(code) is TopicAuthorizationFailedError:
                raise BrokerError(_no_right("create", name))
            detail = message[0] if message and message[0] else for_code(code).__name__
            raise BrokerError(f"cannot create topic {name}: {detail}")


async def _wait_for_leaders(admin: AIOKafkaAdminClient, names: list[str]) -> None:
    deadline = asyncio.get_running_loop().time() + LEADER_WAIT_SECONDS
    while True:
        described = await admin.describe_topics(names)
        hidden = [t["topic"] for t in described if _is_hidden(t)]
        if hidden:
            raise BrokerError(_no_right("describe", ", ".join(hidden)))
        waiting = [
            topic["topic"]
            for topic in described
            if topic["error_code"] != 0 or any(p["leader"] < 0 for p in topic["partitions"])
        ]
        if not waiting:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise TopicError(
                f"no leader for {', '.join(waiting)} after {LEADER_WAIT_SECONDS:.0f} s"
            )
        await asyncio.sleep(0.1)


def _is_hidden(described: Mapping[str, Any]) -> bool:
    """Tell whether the broker does not let us see a topic."""
    return for_code(described["error_code"]) is TopicAuthorizationFailedError


def _no_right(action: str, name: str) -> str:
    return (
        f"topic {name} is closed to this user, who may not {action} it: "
        "give it the rights that `opspilot topics create --acls` prints"
    )


async def find_differences(
    admin: AIOKafkaAdminClient, settings: Settings, needed: Iterable[Topic] | None = None
) -> list[str]:
    """Return one sentence per difference between the map and the broker."""
    topics = {settings.topics.name(t): t for t in (needed or TOPICS.values())}
    described = {t["topic"]: t for t in await admin.describe_topics(list(topics))}
    problems = []
    present = []
    for name, topic in topics.items():
        found = described.get(name)
        if found is not None and _is_hidden(found):
            problems.append(_no_right("describe", name))
            continue
        if found is None or found["error_code"] != 0:
            problems.append(f"topic {name} is missing: run `opspilot topics create`")
            continue
        present.append(name)
        wanted, has = settings.topics.partitions(topic), len(found["partitions"])
        if wanted != has:
            variable = WIDTH_SETTINGS.get(topic.width)
            mend = f"set {variable}={has}, or move" if variable else "move"
            problems.append(
                f"topic {name} has {has} partitions, the settings say {wanted}: {mend} the data to "
                "a new prefix (OPSPILOT_TOPICS__PREFIX)"
            )
    configs = await _describe_configs(admin, present)
    for name in present:
        wanted_config = topics[name].config()
        for key in COMPARED:
            has_value = configs[name].get(key)
            if key in wanted_config and has_value != wanted_config[key]:
                problems.append(
                    f"topic {name} has {key}={has_value}, the map says {wanted_config[key]}: "
                    f"change it with kafka-configs, or delete the topic if it is not yours"
                )
    return problems


async def _describe_configs(
    admin: AIOKafkaAdminClient, names: Iterable[str]
) -> Mapping[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    if not resources:
        return {}
    configs: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        for resource in response.resources:
            error_code, message, _kind, name, entries = resource
            if for_code(error_code) is TopicAuthorizationFailedError:
                raise BrokerError(_no_right("describe the settings of", name))
            if error_code != 0:
                raise BrokerError(f"cannot read the settings of topic {name}: {message}")
            configs[name] = {entry[0]: entry[1] for entry in entries}
    return configs


async def describe_topics(settings: Settings) -> list[dict[str, Any]]:
    """Return name, partitions, settings and purpose of each topic of the map that exists."""
    async with started(make_admin(settings.kafka), settings.kafka) as admin:
        names = {settings.topics.name(t): t for t in TOPICS.values()}
        described = await admin.describe_topics(list(names))
        present = [t for t in described if t["error_code"] == 0]
        configs = await _describe_configs(admin, [t["topic"] for t in present])
    return [
        {
            "name": topic["topic"],
            "partitions": len(topic["partitions"]),
            "what": names[topic["topic"]].what,
            "key": names[topic["topic"]].key,
            "config": {k: configs[topic["topic"]].get(k) for k in COMPARED},
        }
        for topic in present
    ]
