"""A topic followed without a group, through a consumer of the test's own."""

from dataclasses import dataclass

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import OffsetAndTimestamp

from schemas.topics import INCIDENTS
from streams import tailing
from streams.errors import BrokerError
from streams.settings import Settings, TopicSettings
from streams.tailing import MAX_EMPTY_POLLS, TopicTail


@dataclass
class Message:
    value: bytes
    timestamp: int


class Partitions:
    """Three partitions, and the consumer of them that the tail is given."""

    def __init__(self) -> None:
        self.logs: dict[TopicPartition, list[Message]] = {}
        self.places: dict[TopicPartition, int] = {}
        self.away = self.stuck = False
        self.polls = 0
        self.paused = False

    def assign(self, partitions) -> None:
        for tp in partitions:
            self.logs.setdefault(tp, [])

    def pause(self, *_partitions) -> None:
        self.paused = True

    def resume(self, *_partitions) -> None:
        self.paused = False

    async def seek_to_beginning(self, *partitions) -> None:
        self.places = dict.fromkeys(partitions, 0)

    async def offsets_for_times(self, wanted):
        return {
            tp: next(
                (
                    OffsetAndTimestamp(offset, message.timestamp)
                    for offset, message in enumerate(self.logs[tp])
                    if message.timestamp >= since_ms
                ),
                None,
            )
            for tp, since_ms in wanted.items()
        }

    def seek(self, tp, offset: int) -> None:
        self.places[tp] = offset

    async def end_offsets(self, partitions):
        if self.away:
            raise KafkaConnectionError("nobody there")
        return {tp: len(self.logs[tp]) for tp in partitions}

    async def position(self, tp) -> int:
        return self.places[tp]

    async def getmany(self, *partitions, timeout_ms: int):
        self.polls += 1
        if self.stuck or self.paused:
            return {}
        found = {}
        for tp in partitions:
            place = self.places[tp]
            if messages := self.logs[tp][place : place + 2]:
                found[tp] = messages
                self.places[tp] += len(messages)
        return found

    def add(self, partition: int, *messages: Message) -> None:
        self.logs.setdefault(TopicPartition("opspilot.incidents", partition), []).extend(messages)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Partitions:
    partitions = Partitions()

    async def start(_client, _kafka) -> None:
        return

    monkeypatch.setattr(tailing, "make_consumer", lambda _kafka, **_options: partitions)
    monkeypatch.setattr(tailing, "start", start)
    return partitions


def tail_of(since_ms: int = 0) -> TopicTail:
    settings = Settings(topics=TopicSettings(incident_partitions=3))
    return TopicTail(settings, INCIDENTS, since_ms)


async def read(tail: TopicTail) -> list[bytes]:
    found: list[bytes] = []
    await tail.read_new(lambda record: found.append(record.value))
    return sorted(found)


async def test_every_partition_is_read_to_its_end_and_nothing_twice(broker: Partitions):
    tail = tail_of()
    assert await read(tail) == []
    broker.add(0, *(Message(f"a{n}".encode(), n) for n in range(5)))
    broker.add(2, Message(b"c0", 9))
    assert await read(tail) == [b"a0", b"a1", b"a2", b"a3", b"a4", b"c0"]
    assert await read(tail) == []
    broker.add(1, Message(b"b0", 10))
    assert await read(tail) == [b"b0"]


async def test_it_may_begin_at_a_time(broker: Partitions):
    broker.add(0, Message(b"old", 10), Message(b"new", 20))
    broker.add(1, Message(b"newer", 30))
    broker.add(2, Message(b"older", 5))
    tail = tail_of(since_ms=15)
    assert await read(tail) == [b"new", b"newer"]
    broker.add(2, Message(b"at last", 40))
    assert await read(tail) == [b"at last"]


async def test_a_broker_that_is_away_or_gives_nothing_is_an_error(broker: Partitions):
    tail = tail_of()
    broker.away = True
    with pytest.raises(BrokerError, match=r"opspilot\.incidents cannot be read"):
        await read(tail)
    broker.away, broker.stuck = False, True
    broker.add(0, Message(b"a", 1))
    with pytest.raises(BrokerError, match="to its end"):
        await read(tail)
    assert broker.polls == MAX_EMPTY_POLLS + 1
    broker.stuck = False
    assert await read(tail) == [b"a"]
