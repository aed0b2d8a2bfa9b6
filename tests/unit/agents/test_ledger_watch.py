"""The gauges of the ledger: what its entries say, and what cannot be whatever is on its way."""

from collections.abc import Mapping

import pytest

from agents.ledger_watch import LedgerWatch
from schemas.digest import RawRange
from schemas.ledger import IngestTotals, LedgerEntry, WindowTotals
from streams import metrics
from streams.errors import BrokerError
from streams.settings import Settings

RAW = "opspilot.logs.raw"


class Ledger:
    """The ledger topic as it stands."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.broken = False

    async def read(self) -> Mapping[bytes, bytes]:
        if self.broken:
            raise BrokerError("the ledger cannot be read")
        return self.values

    def say(self, **parts: object) -> None:
        chain = RawRange(topic=RAW, partition=0, from_offset=0, to_offset=100)
        entry = LedgerEntry(chain=chain, **parts)
        self.values[entry.key.encode()] = entry.to_bytes()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def watch(ledger: Ledger) -> LedgerWatch:
    made = LedgerWatch(Settings())
    made._topic = ledger
    return made


def shown(fate: str) -> float:
    return metrics.LEDGER_RECORDS.labels(RAW, "0", fate)._value.get()


def difference() -> float:
    return metrics.LEDGER_DIFFERENCE.labels(RAW, "0")._value.get()


def contradictions() -> float:
    return metrics.LEDGER_CONTRADICTIONS._value.get()


async def test_every_fate_is_shown_and_what_is_on_its_way(ledger: Ledger, watch: LedgerWatch):
    ledger.say(
        stage="ingest",
        ingest=IngestTotals(received=90, digested=88, dead_lettered=1, control=1, expired=10),
    )
    ledger.say(stage="analyze", service="a", windows=WindowTotals(counted=60, late=5))
    await watch.tend()
    assert [shown(f) for f in ("received", "counted", "late", "dead-lettered", "control")] == [
        90, 60, 5, 1, 1,
    ]  # fmt: skip
    assert shown("expired") == 10
    assert difference() == 23
    assert contradictions() == 0
    ledger.say(stage="analyze", service="b", windows=WindowTotals(counted=23))
    await watch.tend()
    assert difference() == 0


async def test_what_is_counted_twice_is_below_zero(ledger: Ledger, watch: LedgerWatch):
    ledger.say(stage="ingest", ingest=IngestTotals(received=10, digested=10))
    ledger.say(stage="analyze", service="a", windows=WindowTotals(counted=13))
    await watch.tend()
    assert difference() == -3


async def test_equations_that_nothing_on_its_way_explains(ledger: Ledger, watch: LedgerWatch):
    ledger.say(stage="ingest", ingest=IngestTotals(received=90, digested=80, expired=20))
    await watch.tend()
    # Received is not the sum of its parts; and it is more than there were offsets.
    assert contradictions() == 2


async def test_a_broker_that_is_away_leaves_the_gauges_as_they_were(
    ledger: Ledger, watch: LedgerWatch
):
    ledger.say(stage="ingest", ingest=IngestTotals(received=10, digested=10))
    await watch.tend()
    ledger.broken = True
    await watch.tend()
    assert shown("received") == 10
    ledger.broken = False
    ledger.values[b"foreign"] = b"{}"
    await watch.tend()
    assert shown("received") == 10
