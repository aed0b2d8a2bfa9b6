"""Does every line that came in stand somewhere? Says so of a ledger, or where not.

Comes in: the ledger's entries and the raw partitions' offsets. Goes out: a Balance. Promise: per
raw partition, received = counted + late + dead-lettered, with expired and control records apart;
what ingest digested and analyze has not yet applied is named as in flight, never as balanced.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from schemas.ledger import IngestTotals, LedgerEntry, WindowTotals
from streams.errors import LedgerError

Place = tuple[str, int]
"""Topic and number of a raw partition."""


@dataclass(frozen=True, slots=True)
class PartitionBalance:
    """What became of the records of one raw partition."""

    topic: str
    partition: int
    end: int
    """The offset after the last record."""
    from_offset: int
    to_offset: int
    """Ingest speaks of the offsets [from_offset, to_offset)."""
    ingest: IngestTotals
    windows: WindowTotals
    """Added up over the services that analyze saw in it."""

    @property
    def unread(self) -> int:
        """Records that ingest has yet to read."""
        return max(0, self.end - self.to_offset)

    @property
    def accounted(self) -> int:
        """Records whose fate is known."""
        return (
            self.windows.counted
            + self.windows.late
            + self.windows.dead_lettered
            + self.ingest.dead_lettered
            + self.ingest.control
        )

    @property
    def in_flight(self) -> int:
        """Records that ingest digested and analyze has not yet applied."""
        return self.ingest.received - self.accounted

    @property
    def contradictions(self) -> list[str]:
        """Name each equation of ingest's own that does not hold, whatever is on its way."""
        where = f"{self.topic}/{self.partition}"
        ingest = self.ingest
        found = []
        split = ingest.digested + ingest.dead_lettered + ingest.control
        if ingest.received != split:
            found.append(
                f"{where}: ingest received {ingest.received} records but digested, dead-lettered "
                f"or set apart {split}"
            )
        spanned = self.to_offset - self.from_offset
        if ingest.received + ingest.expired > spanned:
            found.append(
                f"{where}: ingest counted {ingest.received + ingest.expired} records in "
                f"{spanned} offsets"
            )
        return found

    @property
    def problems(self) -> list[str]:
        """Name each equation that does not hold."""
        where = f"{self.topic}/{self.partition}"
        found = self.contradictions
        if self.in_flight > 0:
            found.append(f"{where}: {self.in_flight} records were digested but not yet windowed")
        elif self.in_flight < 0:
            found.append(f"{where}: {-self.in_flight} records were counted more than once")
        return found


@dataclass(frozen=True, slots=True)
class Balance:
    """The whole account."""

    partitions: tuple[PartitionBalance, ...] = ()
    strays: tuple[str, ...] = field(default=())
    """What windows say of raw partitions of which ingest says nothing."""

    @property
    def problems(self) -> list[str]:
        """Return one sentence for each place where it does not balance."""
        return [*(p for part in self.partitions for p in part.problems), *self.strays]

    @property
    def unread(self) -> int:
        """Records that ingest has yet to read."""
        return sum(part.unread for part in self.partitions)

    @property
    def received(self) -> int:
        """Records that ingest has read."""
        return sum(part.ingest.received for part in self.partitions)

    @property
    def balanced(self) -> bool:
        """Tell whether every record received is accounted for."""
        return not self.problems

    def require(self) -> None:
        """Raise LedgerError that names each place where lines are missing or doubled."""
        if self.problems:
            raise LedgerError(f"the ledger does not balance: {'; '.join(self.problems)}")


def balance(entries: Iterable[LedgerEntry], ends: Mapping[Place, int]) -> Balance:
    """Work out the balance from the latest entry of each key and the raw partitions' ends.

    A raw partition without entry and without records is left out.
    """
    latest = {entry.key: entry for entry in entries}
    read: dict[Place, LedgerEntry] = {}
    windowed: dict[Place, list[WindowTotals]] = {}
    for entry in latest.values():
        place = (entry.chain.topic, entry.chain.partition)
        if entry.stage == "ingest":
            read[place] = entry
        elif entry.windows is not None:
            windowed.setdefault(place, []).append(entry.windows)
    partitions = []
    for place in sorted({*read, *(p for p, end in ends.items() if end > 0)}):
        entry_read = read.get(place)
        chain = entry_read.chain if entry_read else None
        partitions.append(
            PartitionBalance(
                topic=place[0],
                partition=place[1],
                end=ends.get(place, chain.to_offset if chain else 0),
                from_offset=chain.from_offset if chain else 0,
                to_offset=chain.to_offset if chain else 0,
                ingest=(entry_read.ingest if entry_read else None) or IngestTotals(),
                windows=_sum(windowed.pop(place, [])),
            )
        )
    strays = [
        f"{topic}/{partition}: analyze counted records of which ingest says nothing"
        for topic, partition in sorted(windowed)
    ]
    return Balance(tuple(partitions), tuple(strays))


def _sum(totals: Iterable[WindowTotals]) -> WindowTotals:
    listed = list(totals)
    return WindowTotals(
        **{name: sum(getattr(t, name) for t in listed) for name in WindowTotals.model_fields}
    )
