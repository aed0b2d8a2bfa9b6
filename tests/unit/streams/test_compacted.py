"""A compacted topic as a dictionary, read through a consumer of the test's own."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from aiokafka.errors import KafkaConnectionError

from schemas.topics import SERVICES
from streams import compacted
from streams.compacted import REFRESH_MS, CompactedTopic
from streams.errors import BrokerError
from streams.settings import Settings


@dataclass
class Message:
    key: bytes | None
    value: bytes | None


class Log:
    """One partition, and the consumer of it that the reader is given."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.place = 0
        self.away = False
        self.asked = 0

    def assign(self, _partitions) -> None:
        return

    async def seek_to_beginning(self, _partition) -> None:
        self.place = 0

    async def end_offsets(self, partitions):
        self.asked += 1
        if self.away:
            raise KafkaConnectionError("nobody there")
        return {partitions[0]: len(self.messages)}

    async def position(self, _partition) -> int:
        return self.place

    async def getmany(self, partition, timeout_ms: int):
        found = self.messages[self.place : self.place + 2]
        self.place += len(found)
        return {partition: found}


Made = tuple[Log, CompactedTopic, Callable[[int], None]]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    log, clock = Log(), [1_000_000]

    async def start(_client, _kafka) -> None:
        return

    monkeypatch.setattr(compacted, "make_consumer", lambda _kafka: log)
    monkeypatch.setattr(compacted, "start", start)
    monkeypatch.setattr(compacted, "monotonic_ms", lambda: clock[0])

    def wait(milliseconds: int) -> None:
        clock[0] += milliseconds

    return log, CompactedTopic(Settings(), SERVICES), wait


async def test_it_is_read_to_its_end_before_the_first_answer(made: Made):
    log, topic, _ = made
    log.messages = [Message(b"a", b"1"), Message(b"b", b"2"), Message(b"a", b"3")]
    log.messages += [Message(b"b", None), Message(None, b"4")]
    assert await topic.read() == {b"a": b"3", b"": b"4"}


async def test_it_is_fresh_after_two_seconds_and_not_asked_before(made: Made):
    log, topic, wait = made
    assert await topic.read() == {}
    log.messages.append(Message(b"a", b"1"))
    wait(REFRESH_MS - 1)
    assert await topic.read() == {}
    assert log.asked == 1
    version = topic.version
    wait(1)
    assert await topic.read() == {b"a": b"1"}
    assert topic.version > version


async def test_when_the_broker_is_away_the_last_known_state_is_served(
    made: Made, caplog: pytest.LogCaptureFixture
):
    log, topic, wait = made
    log.messages.append(Message(b"a", b"1"))
    await topic.read()
    log.away = True
    wait(REFRESH_MS)
    assert await topic.read() == {b"a": b"1"}
    assert "may be old" in caplog.text


async def test_what_was_never_read_is_not_taken_for_empty(made: Made):
    log, topic, _ = made
    log.away = True
    with pytest.raises(BrokerError, match=r"opspilot\.services cannot be read"):
        await topic.read()
    log.away = False
    log.messages.append(Message(b"a", b"1"))
    assert await topic.read() == {b"a": b"1"}
