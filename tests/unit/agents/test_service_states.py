"""What stands in the table at any moment makes a state that counts each digest once."""

from collections.abc import Iterable, Sequence

from written_digests import SERVICE, analyzer, digests, progress, routine

from agents.logic.windows.progress import Heard
from agents.logic.windows.slots import totals
from agents.service_states import SEPARATOR, ServiceStates
from schemas.digest import LogDigest


class _Table:
    """A table that can lose the last of several writes, as a crash would."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}
        self.keep: int | None = None

    def read(self, key: bytes) -> bytes | None:
        return self.data.get(key)

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        return list(self.data.items())

    async def write_all(
        self, entries: Sequence[tuple[bytes, bytes | None]], *, partition: int
    ) -> None:
        for key, value in entries[: self.keep]:
            if value is None:
                self.data.pop(key, None)
            else:
                self.data[key] = value


async def _apply(states: ServiceStates, digest: LogDigest, offset: int) -> None:
    held = states.borrow(SERVICE, 2)
    analyzer().take(held.state, digest)
    await states.write(held, 2, offset, digest.slot_ms)


def _counted(table: _Table) -> tuple[int, list[int]]:
    state = ServiceStates(table).borrow(SERVICE, 2).state  # type: ignore[arg-type]
    counted = sum(totals(mark).counted for mark in state.marks.values())
    return counted, [slot.events for _, slot in sorted(state.open.items())]


async def test_a_recovered_state_has_its_open_slots() -> None:
    table = _Table()
    states = ServiceStates(table)  # type: ignore[arg-type]
    for offset, digest in enumerate(digests(routine([0, 1, 12, 25]))):
        await _apply(states, digest, offset)
    assert _counted(table) == (4, [2, 1, 1])


async def test_a_crash_between_slot_and_state_counts_the_digest_once() -> None:
    table = _Table()
    first, second = digests(routine([0, 1])), digests(routine([2, 3, 4]), from_offset=2)
    await _apply(ServiceStates(table), first[0], 0)  # type: ignore[arg-type]
    table.keep = 1  # the slot is written, the service's own record is not
    await _apply(ServiceStates(table), second[0], 1)  # type: ignore[arg-type]
    assert _counted(table) == (2, [5])
    table.keep = None
    await _apply(ServiceStates(table), second[0], 1)  # type: ignore[arg-type]
    assert _counted(table) == (5, [5])


async def test_a_judged_slot_leaves_the_table_and_one_left_behind_is_not_read() -> None:
    table = _Table()
    states = ServiceStates(table)  # type: ignore[arg-type]
    for offset, digest in enumerate(digests(routine([0, 12]))):
        await _apply(states, digest, offset)
    left_behind = {key: value for key, value in table.data.items() if SEPARATOR in key}
    held = states.borrow(SERVICE, 2)
    told = Heard()
    told.take(progress((2, 0, True, True)))
    analyzer().advance(held.state, told)
    await states.write(held, 2, 2)
    assert not [key for key in table.data if SEPARATOR in key]
    table.data |= left_behind
    assert _counted(table) == (2, [])


async def test_services_are_found_by_their_partition() -> None:
    table = _Table()
    states = ServiceStates(table)  # type: ignore[arg-type]
    await _apply(states, digests(routine([0]))[0], 0)
    assert ServiceStates(table).services(2) == [SERVICE]  # type: ignore[arg-type]
    assert ServiceStates(table).services(1) == []  # type: ignore[arg-type]
