"""Which events a stage may work on, and what the consumer hands on after a seek."""

from types import SimpleNamespace
from typing import NamedTuple

import pytest
from faust.transport.consumer import Consumer as FaustConsumer
from faust.types import TP

from streams import ordered
from streams.errors import BrokerError
from streams.ordered import OrderedConsumer, Sequence
from streams.settings import KafkaSettings

PLACE = TP("digests", 0)


class Message(NamedTuple):
    tp: TP
    offset: int


def event(offset: int) -> SimpleNamespace:
    return SimpleNamespace(message=Message(PLACE, offset))


class Harness(Sequence):
    """A sequence whose broker holds every offset but those in `absent`."""

    def __init__(self, committed: int, absent: frozenset[int] = frozenset()) -> None:
        self.sought: list[int] = []
        self.end = 0
        self.unacked = {Message(PLACE, offset) for offset in range(20)}
        consumer = SimpleNamespace(
            _committed_offset={PLACE: committed},
            _unacked_messages=self.unacked,
            seek=self._seek,
            sources=lambda: {PLACE},
            highwater=lambda tp: self.end,
        )
        super().__init__(SimpleNamespace(consumer=consumer), KafkaSettings())
        self._absent = absent

    async def _seek(self, tp: TP, offset: int) -> None:
        self.sought.append(offset)

    async def _exists(self, tp: TP, expected: int, offset: int) -> bool:
        return any(place not in self._absent for place in range(expected, offset))


async def test_what_was_dropped_is_sought_and_nothing_behind_it_is_worked_on():
    sequence = Harness(committed=10)
    assert not await sequence.is_next(event(12))
    assert not await sequence.is_next(event(13))
    assert sequence.sought == [10]
    # Faust waits for what is not acknowledged before a rebalance, so it must forget these two.
    assert {12, 13}.isdisjoint(message.offset for message in sequence.unacked)
    assert await sequence.is_next(event(10))


async def test_what_comes_again_is_let_through():
    sequence = Harness(committed=10)
    for offset in (10, 11):
        assert await sequence.is_next(event(offset))
        sequence.done(event(offset))
    assert await sequence.is_next(event(10))
    assert await sequence.is_next(event(12))


async def test_offsets_that_compaction_removed_are_no_gap():
    sequence = Harness(committed=10, absent=frozenset({10, 11}))
    assert await sequence.is_next(event(12))
    assert sequence.sought == []


async def test_a_gap_that_stays_is_an_error(monkeypatch):
    clock = [1_000]
    monkeypatch.setattr(ordered, "monotonic_ms", lambda: clock[0])
    sequence = Harness(committed=10)
    assert not await sequence.is_next(event(12))
    clock[0] += ordered.SEEK_AGAIN_MS
    # No event comes any more: the watch has to ask.
    await sequence.tend()
    assert sequence.sought == [10, 10]
    clock[0] += ordered.PATIENCE_MS
    with pytest.raises(BrokerError, match="jumps from 10 to 12"):
        await sequence.tend()


@pytest.fixture
def consumer(monkeypatch):
    """A consumer without a broker, whose superclass hands on offsets 20 to 22."""

    async def wait_next_records(self, timeout):
        for _ in range(self.seeks_while_waiting):
            await self.perform_seek()
        return {}, set()

    async def getmany(self, timeout):
        await self._wait_next_records(timeout)
        for offset in (20, 21, 22):
            yield PLACE, offset

    async def perform_seek(self):
        self._read_offset[PLACE] = 5

    async def seek(self, tp, offset):
        self.sought_after_all.append((tp, offset))

    monkeypatch.setattr(FaustConsumer, "seek", seek)
    monkeypatch.setattr(FaustConsumer, "getmany", getmany)
    monkeypatch.setattr(FaustConsumer, "_wait_next_records", wait_next_records)
    monkeypatch.setattr(FaustConsumer, "perform_seek", perform_seek)
    made = OrderedConsumer.__new__(OrderedConsumer)
    made._seeks, made._fetched_at, made._sought_at, made._sought = 0, 0, {}, {}
    made.seeks_while_waiting = 0
    made.sought_after_all = []
    made._read_offset, made._gap = {}, {PLACE: "absent"}
    made.assignment = lambda: {PLACE}
    made._committed_offset = {PLACE: 5}
    made.app = SimpleNamespace(topics=SimpleNamespace(acks_enabled_for=lambda topic: True))
    return made


async def test_a_seek_voids_what_was_fetched_before_it(consumer):
    taken = []
    async for tp, offset in consumer.getmany(1.0):
        taken.append(offset)
        await consumer.perform_seek()
        # What Faust's loop does after it has handed a record on.
        consumer._read_offset[tp] = offset
    assert taken == [20]
    assert consumer._read_offset[PLACE] == 5
    assert consumer._gap == {}
    # Two of three were dropped; the seek may have been before the fetch, so they are read again.
    assert consumer.sought_after_all == [(PLACE, 5)]


async def test_without_a_seek_everything_is_handed_on(consumer):
    assert [offset async for _, offset in consumer.getmany(1.0)] == [20, 21, 22]


async def test_what_a_long_wait_brings_after_a_seek_is_not_void(consumer):
    consumer.seeks_while_waiting = 1
    assert [offset async for _, offset in consumer.getmany(1.0)] == [20, 21, 22]


async def test_a_partition_without_a_commit_goes_back_to_its_beginning(consumer):
    async def earliest_offsets(*places):
        return dict.fromkeys(places, 3)

    consumer.earliest_offsets = earliest_offsets
    consumer._committed_offset = {PLACE: None}
    await consumer.perform_seek()
    assert consumer.sought_after_all == [(PLACE, 3)]
    consumer._committed_offset = {PLACE: 7}
    await consumer.perform_seek()
    assert consumer.sought_after_all == [(PLACE, 3)]


async def test_what_was_dropped_at_the_end_is_read_again_unless_it_is_in_hand(monkeypatch):
    clock = [1_000]
    monkeypatch.setattr(ordered, "monotonic_ms", lambda: clock[0])
    sequence = Harness(committed=10)
    sequence.end = 13
    assert await sequence.is_next(event(10))
    for _ in range(3):
        # A handler may take as long as it likes.
        await sequence.mend_stalls()
        clock[0] += ordered.STALLED_AFTER_MS
    assert sequence.sought == []
    sequence.done(event(10))
    await sequence.mend_stalls()
    clock[0] += ordered.STALLED_AFTER_MS
    await sequence.mend_stalls()
    assert sequence.sought == [11]


async def test_what_retention_has_removed_at_the_end_is_no_stall(monkeypatch):
    clock = [1_000]
    monkeypatch.setattr(ordered, "monotonic_ms", lambda: clock[0])
    sequence = Harness(committed=10, absent=frozenset({10, 11, 12}))
    sequence.end = 13
    for _ in range(3):
        await sequence.mend_stalls()
        clock[0] += ordered.LONGEST_STALL_MS
    assert sequence.sought == []
