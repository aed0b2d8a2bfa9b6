"""Topics on a real broker: created, listed, compared; a difference is said and never repaired."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from opspilot.cli import run
from opspilot.local.broker import BrokerOptions, EmbeddedBroker
from opspilot.local.ports import free_port
from opspilot.local.properties import SecuredListener
from opspilot.local.runtime import KafkaRuntime
from schemas.topics import FINDINGS, LOGS_DIGESTS, TOPICS
from streams.admin import check_topics, create_topics, describe_topics
from streams.errors import BrokerError, TopicError
from streams.settings import KafkaSettings, SaslMechanism, SecurityProtocol, Settings, TopicSettings

pytestmark = pytest.mark.kafka
JAAS = "org.apache.kafka.common.security.plain.PlainLoginModule required"


@pytest.fixture
def settings(broker, topic_prefix: str) -> Settings:
    return Settings(
        kafka=KafkaSettings(bootstrap=broker.bootstrap),
        topics=TopicSettings(
            prefix=topic_prefix, raw_partitions=2, digest_partitions=2, incident_partitions=3
        ),
    )


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSPILOT_KAFKA__BOOTSTRAP", settings.kafka.bootstrap)
    monkeypatch.setenv("OPSPILOT_TOPICS__PREFIX", settings.topics.prefix)
    for width, count in (("RAW", "2"), ("DIGEST", "2"), ("INCIDENT", "3")):
        monkeypatch.setenv(f"OPSPILOT_TOPICS__{width}_PARTITIONS", count)


async def change(settings: Settings, topic: str, configs: dict[str, str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap)
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)])
    finally:
        await admin.close()


async def wait_until(settings: Settings, name: str, holds: Callable[[Any], bool]) -> Any:
    """Return what the broker says of a topic, once a change has come through."""
    deadline = time.monotonic() + 60
    while True:
        described = {topic["name"]: topic for topic in await describe_topics(settings)}
        if holds(described[name]):
            return described[name]
        assert time.monotonic() < deadline, described[name]


async def test_all_topics_are_made_as_the_map_says_and_only_once(settings: Settings):
    created = await create_topics(settings)
    assert sorted(created) == sorted(settings.topics.name(topic) for topic in TOPICS.values())
    assert await create_topics(settings) == []
    described = {topic["name"]: topic for topic in await describe_topics(settings)}
    for topic in TOPICS.values():
        found = described[settings.topics.name(topic)]
        assert found["partitions"] == settings.topics.partitions(topic)
        wanted = topic.config()
        assert {key: wanted[key] for key in found["config"]} == found["config"]


async def test_another_partition_count_is_said_with_what_to_set(settings: Settings):
    await create_topics(settings)
    name = settings.topics.name(LOGS_DIGESTS)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap)
    await admin.start()
    try:
        await admin.create_partitions({name: NewPartitions(total_count=4)})
    finally:
        await admin.close()
    await wait_until(settings, name, lambda topic: topic["partitions"] == 4)
    for attempt in (
        lambda: create_topics(settings),
        lambda: check_topics(settings, [LOGS_DIGESTS]),
    ):
        with pytest.raises(TopicError) as caught:
            await attempt()
        assert f"topic {name} has 4 partitions, the settings say 2" in str(caught.value)
        assert "OPSPILOT_TOPICS__DIGESTS_PARTITIONS" not in str(caught.value)
        assert "OPSPILOT_TOPICS__DIGEST_PARTITIONS=4" in str(caught.value)
    described = {topic["name"]: topic for topic in await describe_topics(settings)}
    assert described[name]["partitions"] == 4


async def test_another_setting_is_said_and_left_as_it_is(settings: Settings):
    await create_topics(settings)
    name = settings.topics.name(FINDINGS)
    kept = FINDINGS.config() | {"retention.ms": "1000", "cleanup.policy": "compact"}
    await change(settings, name, kept)
    await wait_until(settings, name, lambda topic: topic["config"]["retention.ms"] == "1000")
    with pytest.raises(TopicError) as caught:
        await check_topics(settings, [FINDINGS])
    assert f"topic {name} has retention.ms=1000, the map says 604800000" in str(caught.value)
    assert f"topic {name} has cleanup.policy=compact, the map says delete" in str(caught.value)
    described = {topic["name"]: topic for topic in await describe_topics(settings)}
    assert described[name]["config"]["retention.ms"] == "1000"


def test_the_command_creates_lists_and_describes(
    environment: None, topic_prefix: str, capfd: pytest.CaptureFixture[str]
):
    assert run(["topics", "list"]) == 1
    said = capfd.readouterr()
    assert "missing" in said.out
    assert f"topic {topic_prefix}logs.raw is missing: run `opspilot topics create`" in said.err
    assert run(["topics", "create"]) == 0
    assert f"created {topic_prefix}logs.raw" in capfd.readouterr().out
    assert run(["topics", "create"]) == 0
    assert f"0 created, {len(TOPICS)} were there already" in capfd.readouterr().out
    assert run(["topics", "list"]) == 0
    listed = capfd.readouterr().out
    assert all(f"{topic_prefix}{short}" in listed for short in TOPICS)
    assert run(["topics", "describe"]) == 0
    assert "What could not be processed" in capfd.readouterr().out


def test_a_worker_whose_topics_are_missing_says_what_to_run(
    environment: None, topic_prefix: str, capfd: pytest.CaptureFixture[str]
):
    assert run(["worker", "analyze"]) == 1
    said = capfd.readouterr().err
    assert len(said.strip().splitlines()) == 1
    assert f"topic {topic_prefix}logs.digests is missing: run `opspilot topics create`" in said


@pytest.fixture
def guarded(tmp_path: Path, kafka_runtime: KafkaRuntime) -> Iterator[tuple[str, str]]:
    """Run a broker whose other listener lets `guest` in and allows it nothing."""
    port = free_port()
    listener = SecuredListener(
        "LOGIN", port, "SASL_PLAINTEXT",
        {"sasl.enabled.mechanisms": "PLAIN", "plain.sasl.jaas.config": f'{JAAS} user_guest="g";'},
    )  # fmt: skip
    options = BrokerOptions(
        start_seconds=120.0,
        listeners=(listener,),
        extra_properties=(
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
            ("super.users", "User:ANONYMOUS"),
        ),
    )
    broker = EmbeddedBroker(tmp_path / "kafka", kafka_runtime, options).start()
    try:
        yield broker.bootstrap, f"127.0.0.1:{port}"
    finally:
        broker.kill()


async def test_a_right_that_is_missing_is_said(guarded: tuple[str, str], topic_prefix: str):
    open_bootstrap, guarded_bootstrap = guarded
    topics = TopicSettings(prefix=topic_prefix, raw_partitions=1, incident_partitions=1)
    guest = Settings(
        kafka=KafkaSettings(
            bootstrap=guarded_bootstrap,
            security_protocol=SecurityProtocol.SASL_PLAINTEXT,
            sasl_mechanism=SaslMechanism.PLAIN,
            sasl_username="guest",
            sasl_password="g",
        ),
        topics=topics,
    )
    with pytest.raises(BrokerError, match=r"may not .* `opspilot topics create --acls` prints"):
        await create_topics(guest)
    await create_topics(Settings(kafka=KafkaSettings(bootstrap=open_bootstrap), topics=topics))
    with pytest.raises(BrokerError) as caught:
        await check_topics(guest, [FINDINGS])
    assert f"topic {topic_prefix}findings is closed to this user" in str(caught.value)


def test_what_is_known_of_a_service_is_set_listed_and_forgotten(environment, capsys, tmp_path):
    assert run(["topics", "create"]) == 0
    assert run(["services", "list"]) == 0
    assert "nothing is known" in capsys.readouterr().out
    file = tmp_path / "services.yaml"
    file.write_text("shop/db: {owner: data-team}\nshop/web: {dependencies: [shop/db]}\n")
    assert run(["services", "load", str(file)]) == 0
    assert run(["services", "set", "shop/db", "--owner", "storage-team"]) == 0
    assert run(["services", "remove", "shop/web"]) == 0
    capsys.readouterr()
    assert run(["services", "list"]) == 0
    listed = capsys.readouterr().out
    assert "default/shop/db" in listed
    assert "storage-team" in listed
    assert "shop/web" not in listed
    assert run(["services", "remove", "shop/web"]) != 0
    assert "nothing is known of default/shop/web" in capsys.readouterr().err
