"""Keeps up with the ledger, and accounts for every line at any moment.

Comes in: the ledger topic and the raw partitions' ends. Goes out: a Balance. Promise: takes nothing
from anybody and commits nothing.
"""

from aiokafka import TopicPartition
from pydantic import ValidationError

from agents.logic.accounting import Balance, Place, balance
from opspilot.reading import TopicReader
from schemas.ledger import LedgerEntry
from schemas.topics import LEDGER, LOGS_RAW
from streams.errors import LedgerError
from streams.settings import Settings


class LedgerReader:
    """Keeps up with the ledger topic; a context manager around one connection."""

    def __init__(self, settings: Settings) -> None:
        names = settings.ingest.topics or (settings.topics.name(LOGS_RAW),)
        self._raw = frozenset(names)
        self._ledger = settings.topics.name(LEDGER)
        self._reader = TopicReader(settings.kafka, (self._ledger,), ends_only=sorted(self._raw))
        self._entries: dict[str, LedgerEntry] = {}

    async def __aenter__(self) -> "LedgerReader":
        await self._reader.__aenter__()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self._reader.__aexit__(None, None, None)

    @property
    def entries(self) -> list[LedgerEntry]:
        """Return the latest entry of each key."""
        return list(self._entries.values())

    async def read(self) -> Balance:
        """Return the balance as it stands."""
        ends = await self.raw_ends()
        for record in await self._reader.read_to_end():
            if record.value is None:
                continue
            try:
                entry = LedgerEntry.from_bytes(record.value)
            except ValidationError as error:
                raise LedgerError(
                    f"record {record.offset} of {self._ledger} is no ledger entry: {error}"
                ) from None
            self._entries[entry.key] = entry
        return balance(self._entries.values(), ends)

    async def raw_ends(self) -> dict[Place, int]:
        """Return the offset after the last record of each raw partition."""
        found: dict[TopicPartition, int] = {}
        for topic in self._raw:
            found |= await self._reader.end_offsets(topic)
        return {(tp.topic, tp.partition): end for tp, end in found.items()}
