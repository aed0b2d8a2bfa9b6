"""What all tests may ask for: one real Kafka per run, and topic names of one's own.

`broker` is the embedded Kafka; under `-m docker` the same fixture is apache/kafka in a container.
What a test needs and the machine lacks is a failure with a sentence, never a silent skip.
"""

import os
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_broker import RunningBroker

from opspilot.local.broker import BrokerOptions, EmbeddedBroker
from opspilot.local.environment import LocalEnvironment
from opspilot.local.ports import free_port
from opspilot.local.probe import answers
from opspilot.local.runtime import KafkaRuntime, find_runtime
from streams.errors import OpsPilotError

IMAGE = "apache/kafka:4.4.0"
CONTAINER_START_SECONDS = 90.0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let `-m docker` choose every test that only needs the shared broker."""
    if _wants_docker(config):
        for item in items:
            if "broker" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="session")
def local_environment() -> LocalEnvironment:
    return LocalEnvironment.read(os.environ, Path.home())


@pytest.fixture(scope="session")
def kafka_runtime(local_environment: LocalEnvironment) -> KafkaRuntime:
    try:
        return find_runtime(local_environment)
    except OpsPilotError as error:
        pytest.fail(f"tests marked `kafka` need an embedded Kafka: {error}", pytrace=False)


@pytest.fixture(scope="session")
def broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningBroker]:
    if _wants_docker(request.config):
        yield from _in_a_container()
        return
    runtime: KafkaRuntime = request.getfixturevalue("kafka_runtime")
    directory = tmp_path_factory.mktemp("kafka")
    options = BrokerOptions(start_seconds=120.0)
    with EmbeddedBroker(directory, runtime, options) as embedded:
        yield RunningBroker(embedded.bootstrap, embedded)


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> str:
    """Return a prefix for topics and groups that no other test has."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-")
    return f"{name}-{uuid.uuid4().hex[:8]}."


def _wants_docker(config: pytest.Config) -> bool:
    expression = config.getoption("-m") or ""
    return "docker" in expression and "not docker" not in expression


def _in_a_container() -> Iterator[RunningBroker]:
    try:
        from testcontainers.core.container import DockerContainer
    except ImportError:
        pytest.fail("`-m docker` needs testcontainers: pip install 'opspilot[dev]'", pytrace=False)
    port, controller_port = free_port(), free_port()
    variables = {
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_NODE_ID": "1",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": f"1@localhost:{controller_port}",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{port},CONTROLLER://:{controller_port}",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_MESSAGE_MAX_BYTES": str(4 * 1024 * 1024),
    }
    container = None
    reason = ""
    try:
        container = DockerContainer(IMAGE).with_bind_ports(port, port)
        for name, value in variables.items():
            container = container.with_env(name, value)
        container.start()
    except Exception as error:
        container = None
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if container is None:
        pytest.fail(
            f"`-m docker` needs a Docker engine that can run {IMAGE} ({reason}): install and start "
            "Docker, or run the same tests with `-m kafka`, which needs none.",
            pytrace=False,
        )
    try:
        overdue = time.monotonic() + CONTAINER_START_SECONDS
        while not answers("127.0.0.1", port, timeout_seconds=1.0):
            if time.monotonic() > overdue:
                pytest.fail(f"{IMAGE} did not answer within {CONTAINER_START_SECONDS:.0f} s")
            time.sleep(0.2)
        yield RunningBroker(f"127.0.0.1:{port}")
    finally:
        container.stop()
