import gc
import struct
import weakref
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_UNCOMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streams.ingest.batch import Header
from streams.ingest.fetch import Fetched, RawFetcher, _walk

TP = TopicPartition("logs.raw", 2)
NO_HEADERS: list[Header] = []
CONTROL_BIT = 0x20
ATTRIBUTES_AT = 21


def record_batch(
    base: int, values: list[bytes | None], codec: int = 0, headers: list[Header] = NO_HEADERS
) -> bytearray:
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=codec, is_transactional=0, producer_id=-1, producer_epoch=-1,
        base_sequence=-1, batch_size=1 << 20,
    )  # fmt: skip
    for delta, value in enumerate(values):
        assert builder.append(delta, 1_000 + delta, b"key", value, headers=headers) is not None
    built = bytearray(builder.build())
    struct.pack_into(">q", built, 0, base)
    return built


def source(raw: bytes, fetch_offset: int, *, check_crcs: bool = True) -> PartitionRecords:
    records = MemoryRecords(bytes(raw))
    return PartitionRecords(TP, records, [], fetch_offset, None, None, check_crcs, READ_UNCOMMITTED)


def words(first: int, count: int) -> list[bytes | None]:
    return [f"line {first + n}".encode() for n in range(count)]


@pytest.mark.parametrize("codec", [0, 1, 3, 4])
@pytest.mark.parametrize("fetch_offset", [10, 13, 16])
def test_columns_hold_what_getmany_gives(codec: int, fetch_offset: int) -> None:
    raw = record_batch(10, words(10, 5), codec) + record_batch(15, words(15, 4), codec)
    fetched = _walk(TP, source(raw, fetch_offset), 1_000)
    expected = list(source(raw, fetch_offset))
    assert fetched.offsets == [record.offset for record in expected]
    assert fetched.values == [record.value for record in expected]
    assert fetched.keys == [record.key for record in expected]
    assert fetched.append_ms == [record.timestamp for record in expected]
    assert (fetched.position, fetched.next_offset, fetched.headers) == (fetch_offset, 19, None)


def test_whole_record_batches_are_taken_and_the_rest_is_left() -> None:
    raw = record_batch(0, words(0, 5)) + record_batch(5, words(5, 5))
    rest = source(raw, 0)
    first, second = _walk(TP, rest, 3), _walk(TP, rest, 3)
    assert (first.offsets, first.next_offset) == ([0, 1, 2, 3, 4], 5)
    assert (second.position, second.offsets) == (5, [5, 6, 7, 8, 9])


def test_control_batches_move_the_position_and_hold_no_line() -> None:
    marker = record_batch(5, [b"\0\0\0\0"])
    marker[ATTRIBUTES_AT + 1] |= CONTROL_BIT
    raw = record_batch(0, words(0, 5)) + marker
    fetched = _walk(TP, source(raw, 0, check_crcs=False), 1_000)
    assert (len(fetched.values), fetched.next_offset) == (5, 6)


def test_a_damaged_record_batch_is_refused() -> None:
    raw = record_batch(0, words(0, 5))
    raw[-1] ^= 1
    with pytest.raises(CorruptRecordException):
        _walk(TP, source(raw, 0), 1_000)


def test_headers_stand_beside_their_records() -> None:
    marked = record_batch(2, [None], headers=[("opspilot-control", b"end-of-input")])
    fetched = _walk(TP, source(record_batch(0, words(0, 2)) + marked, 0), 1_000)
    assert fetched.headers == [(), (), (("opspilot-control", b"end-of-input"),)]


def test_pieces_are_joined_and_cut_where_a_promise_says() -> None:
    first = _walk(TP, source(record_batch(0, words(0, 4)), 0), 1_000)
    later = _walk(TP, source(record_batch(4, words(4, 4), headers=[("a", b"1")]), 4), 1_000)
    joined = first.joined(later)
    batch = joined.to_batch(0, 6, clock_ms=7, raw_partitions=3)
    assert batch.offsets == [0, 1, 2, 3, 4, 5]
    assert batch.headers == [()] * 4 + [(("a", b"1"),)] * 2
    assert (batch.from_offset, batch.to_offset, batch.raw_partitions) == (0, 6, 3)
    assert batch.clock_ms == 7
    assert isinstance(joined, Fetched) and joined.next_offset == 8


@pytest.mark.parametrize("is_ours", [True, False], ids=["read", "of a partition that went away"])
def test_a_fetch_is_let_go_at_once_without_the_garbage_collector(is_ours: bool) -> None:
    state = SimpleNamespace(paused=False, position=0, consumed_to=lambda offset: None)
    assignment = SimpleNamespace(active=is_ours, state_value=lambda tp: state)
    records = source(record_batch(0, words(0, 5)), 0)
    gone = weakref.ref(records)
    result = FetchResult(TP, assignment=assignment, partition_records=records, backoff=0)
    del records
    fetcher = SimpleNamespace(
        _records={TP: result}, _notify=lambda waiter: None, _wait_consume_future=None
    )
    del result
    gc.disable()
    try:
        taken = RawFetcher(consumer=None)._take(fetcher, 1_000)  # type: ignore[arg-type]
        assert [len(piece.values) for piece in taken] == ([5] if is_ours else [])
        assert fetcher._records == {}
        assert gone() is None
    finally:
        gc.enable()
