"""Where ingest goes on: after nothing, a promise, expiry, and with a silent coordinator."""

from dataclasses import dataclass, field

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CoordinatorLoadInProgressError
from aiokafka.structs import OffsetAndMetadata

from streams.errors import BrokerError
from streams.ingest import offsets
from streams.ingest.promise import PartitionState

TP = TopicPartition("logs.raw", 0)
NOTHING = {TP: OffsetAndMetadata(-1, "")}


@dataclass
class Admin:
    """Answers in turn what it was given; an exception is raised."""

    answers: list[object]
    asked: int = field(default=0)

    async def list_consumer_group_offsets(self, group: str, partitions: object) -> object:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class Consumer:
    begin: int = 0
    end: int = 100

    async def beginning_offsets(self, wanted: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(wanted, self.begin)

    async def end_offsets(self, wanted: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(wanted, self.end)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(offsets, "PAUSE_SECONDS", 0.0)


def committed(state: PartitionState) -> dict[TopicPartition, OffsetAndMetadata]:
    return {TP: OffsetAndMetadata(state.position, state.metadata())}


async def states(admin: Admin, consumer: Consumer) -> PartitionState:
    return (await offsets.read_states(admin, consumer, "g", [TP]))[TP]


async def test_a_group_that_never_was_starts_at_the_beginning():
    assert await states(Admin([NOTHING]), Consumer(begin=7)) == PartitionState(7, start=7)


async def test_an_answer_without_the_partition_is_no_answer():
    # What aiokafka makes of an error of the whole group, such as a coordinator that is loading.
    admin = Admin([{}, {}, CoordinatorLoadInProgressError(), committed(PartitionState(40))])
    assert (await states(admin, Consumer())).position == 40
    assert admin.asked == 4


async def test_a_coordinator_that_stays_silent_is_an_error_not_a_start():
    with pytest.raises(BrokerError, match="does not say what is committed"):
        await states(Admin([{}]), Consumer())


async def test_a_promise_is_kept_after_a_restart():
    state = PartitionState(40).promise(55)
    assert (await states(Admin([committed(state)]), Consumer())).promised_to == 55


async def test_what_expired_is_counted_and_a_promise_beyond_it_kept():
    state = PartitionState(40).promise(55)
    found = await states(Admin([committed(state)]), Consumer(begin=50))
    assert (found.position, found.promised_to, found.totals.expired) == (50, 55, 10)


async def test_a_promise_that_expired_whole_is_dropped():
    state = PartitionState(40).promise(55)
    found = await states(Admin([committed(state)]), Consumer(begin=60))
    assert (found.position, found.promised_to, found.totals.expired) == (60, None, 20)


async def test_a_topic_created_anew_is_read_from_its_beginning():
    found = await states(Admin([committed(PartitionState(400))]), Consumer(begin=0, end=100))
    assert found == PartitionState(0, start=0)
