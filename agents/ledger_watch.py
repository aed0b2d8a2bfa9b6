"""Keeps the gauges of the ledger: where every record went, and whether that adds up.

Comes in: the ledger topic, read without a group. Goes out: opspilot_ledger_*. Promise: what it
cannot read it says in the log and shows as it was; it ends no stage and commits nothing.
"""

import logging

from pydantic import ValidationError

from agents.logic.accounting import PartitionBalance, balance
from schemas.ledger import LedgerEntry
from schemas.topics import LEDGER
from streams import metrics
from streams.compacted import CompactedTopic
from streams.errors import BrokerError
from streams.settings import Settings

log = logging.getLogger(__name__)


class LedgerWatch:
    """The latest word of each stage on each raw partition."""

    def __init__(self, settings: Settings) -> None:
        self._topic = CompactedTopic(settings, LEDGER)
        self._entries: dict[bytes, tuple[bytes, LedgerEntry]] = {}

    async def tend(self) -> None:
        """Read on to the end of the ledger and set the gauges."""
        try:
            values = await self._topic.read()
        except BrokerError as error:
            log.warning("the gauges of the ledger may be old: %s", error)
            return
        for key, value in values.items():
            known = self._entries.get(key)
            # Entries are many and change little: only a new value is decoded.
            if known is None or known[0] is not value:
                try:
                    self._entries[key] = value, LedgerEntry.from_bytes(value)
                except ValidationError as error:
                    log.warning("%r in the ledger is no entry: %s", key, error)
        found = balance((entry for _, entry in self._entries.values()), {})
        metrics.LEDGER_RECORDS.clear()
        metrics.LEDGER_DIFFERENCE.clear()
        for partition in found.partitions:
            _show(partition)
        contradictions = sum(len(part.contradictions) for part in found.partitions)
        metrics.LEDGER_CONTRADICTIONS.set(contradictions + len(found.strays))


def _show(part: PartitionBalance) -> None:
    place = part.topic, str(part.partition)
    fates = {
        "received": part.ingest.received,
        "counted": part.windows.counted,
        "late": part.windows.late,
        "dead-lettered": part.ingest.dead_lettered + part.windows.dead_lettered,
        "control": part.ingest.control,
        "expired": part.ingest.expired,
    }
    for fate, records in fates.items():
        metrics.LEDGER_RECORDS.labels(*place, fate).set(records)
    metrics.LEDGER_DIFFERENCE.labels(*place).set(part.in_flight)
