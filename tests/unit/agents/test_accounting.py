"""The balance of lines: what holds, and how each way of not holding is named."""

import pytest

from agents.logic.accounting import balance
from opspilot.render import ledger_records
from schemas.digest import RawRange
from schemas.ledger import IngestTotals, LedgerEntry, WindowTotals
from streams.errors import LedgerError

RAW = "opspilot.logs.raw"


def read(partition: int, to_offset: int, **counts: int) -> LedgerEntry:
    chain = RawRange(topic=RAW, partition=partition, from_offset=0, to_offset=to_offset)
    return LedgerEntry(stage="ingest", chain=chain, ingest=IngestTotals(**counts))


def windowed(partition: int, service: str, **counts: int) -> LedgerEntry:
    chain = RawRange(topic=RAW, partition=partition, from_offset=0, to_offset=1)
    windows = WindowTotals(**counts)
    return LedgerEntry(stage="analyze", service=service, chain=chain, windows=windows)


def test_every_record_is_counted_late_dead_or_control() -> None:
    entries = [
        read(0, 100, received=100, digested=95, dead_lettered=4, control=1),
        windowed(0, "a", counted=60, late=5),
        windowed(0, "b", counted=29, dead_lettered=1),
    ]
    found = balance(entries, {(RAW, 0): 100})
    assert found.balanced
    assert found.received == 100
    assert found.unread == 0
    total = list(ledger_records(found))[-1]
    assert total["counted"] == 89
    assert total["deadLettered"] == 5
    found.require()


def test_the_latest_entry_of_a_key_counts() -> None:
    entries = [
        read(0, 10, received=10, digested=10),
        read(0, 20, received=20, digested=20),
        windowed(0, "a", counted=10),
        windowed(0, "a", counted=20),
    ]
    assert balance(entries, {(RAW, 0): 20}).balanced


def test_records_in_flight_do_not_balance_and_are_named() -> None:
    entries = [read(3, 10, received=10, digested=10), windowed(3, "a", counted=7)]
    found = balance(entries, {(RAW, 3): 10})
    assert found.problems == [f"{RAW}/3: 3 records were digested but not yet windowed"]
    with pytest.raises(LedgerError, match="does not balance"):
        found.require()


def test_records_counted_twice_are_named() -> None:
    entries = [read(0, 10, received=10, digested=10), windowed(0, "a", counted=11)]
    found = balance(entries, {(RAW, 0): 10})
    assert found.problems == [f"{RAW}/0: 1 records were counted more than once"]


def test_a_loss_in_one_partition_is_not_hidden_by_a_surplus_in_another() -> None:
    entries = [
        read(0, 10, received=10, digested=10),
        read(1, 10, received=10, digested=10),
        windowed(0, "a", counted=9),
        windowed(1, "a", counted=11),
    ]
    assert len(balance(entries, {(RAW, 0): 10, (RAW, 1): 10}).problems) == 2


def test_ingest_must_agree_with_itself() -> None:
    entries = [read(0, 10, received=10, digested=8), windowed(0, "a", counted=8)]
    problems = balance(entries, {(RAW, 0): 10}).problems
    assert any("ingest received 10 records" in problem for problem in problems)


def test_more_records_than_offsets_are_named() -> None:
    entries = [read(0, 10, received=12, digested=12), windowed(0, "a", counted=12)]
    problems = balance(entries, {(RAW, 0): 10}).problems
    assert problems == [f"{RAW}/0: ingest counted 12 records in 10 offsets"]


def test_expired_records_stand_apart() -> None:
    entries = [read(0, 100, received=40, digested=40, expired=60), windowed(0, "a", counted=40)]
    found = balance(entries, {(RAW, 0): 100})
    assert found.balanced
    assert next(ledger_records(found))["expired"] == 60


def test_what_ingest_has_not_read_is_unread_not_lost() -> None:
    found = balance([], {(RAW, 0): 5, (RAW, 1): 0})
    assert found.balanced
    assert found.unread == 5
    assert [part.partition for part in found.partitions] == [0]


def test_windows_without_ingest_are_strays() -> None:
    found = balance([windowed(7, "a", counted=1)], {})
    assert found.problems == [f"{RAW}/7: analyze counted records of which ingest says nothing"]
