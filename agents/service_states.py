"""The states of services in analyze's table, each open slot under a key of its own.

Comes in: a table of bytes. Goes out: ServiceState objects, lent for one change at a time. Promise:
what is written per digest is one slot and the service's baselines, however many slots are open; a
crash between the two leaves a slot that knows what is merged in it, so nothing counts twice.
"""

from dataclasses import dataclass

from agents.logic.windows.state import ServiceState, decode_state, encode_slot, encode_state
from agents.state_codec import pack, position_of, unpack
from streams.state import StateTable

SEPARATOR = b"\0"


@dataclass(slots=True)
class Held:
    """One service's state, and what of it stands in the table."""

    key: bytes
    state: ServiceState
    value: bytes | None
    """The service's own record as it was written or recovered."""
    written: set[int]
    """Open slots that have a record."""

    @property
    def position(self) -> int:
        """Return the offset of the last message that the state reflects; -1 for a new one."""
        return -1 if self.value is None else position_of(self.value)


class ServiceStates:
    """Lends states out and writes them back; a state that is not given back is read anew."""

    def __init__(self, table: StateTable) -> None:
        self._table = table
        self._memory: dict[bytes, Held] = {}
        self._partitions: dict[bytes, int] = {}
        """Where each service is told of; it never moves."""

    def borrow(self, service: str, partition: int) -> Held:
        """Take a service's state; a new one when none is known."""
        key = service.encode()
        value = self._table.read(key)
        held = self._memory.pop(key, None)
        if held is not None and held.value is value:
            return held
        if value is None:
            return Held(key, ServiceState(service, partition), None, set())
        slots = self._slots(key)
        bodies = ((slot_ms, unpack(body)[1]) for slot_ms, body in slots.items())
        return Held(key, decode_state(unpack(value)[1], bodies), value, set(slots))

    def give_back(self, held: Held) -> None:
        """Return a state that did not change."""
        if held.value is not None:
            self._memory[held.key] = held

    async def write(
        self, held: Held, partition: int, position: int, merged_slot_ms: int | None = None
    ) -> None:
        """Write a changed state, and the open slot that a digest was merged into.

        The order matters: a slot may be ahead of its service's record, never behind it, and a
        judged slot is removed only when the record that says so is written.
        """
        state = held.state
        entries: list[tuple[bytes, bytes | None]] = []
        if merged_slot_ms is not None and merged_slot_ms in state.open:
            body = pack(position, encode_slot(state, merged_slot_ms))
            entries.append((_slot_key(held.key, merged_slot_ms), body))
        value = pack(position, encode_state(state))
        entries.append((held.key, value))
        judged = sorted(held.written - state.open.keys())
        entries += [(_slot_key(held.key, slot_ms), None) for slot_ms in judged]
        await self._table.write_all(entries, partition=partition)
        written = held.written - set(judged)
        if merged_slot_ms is not None and merged_slot_ms in state.open:
            written.add(merged_slot_ms)
        self._memory[held.key] = Held(held.key, state, value, written)

    def services(self, partition: int) -> list[str]:
        """Return the services whose digests come in one partition of the digests topic."""
        return [
            key.decode()
            for key, value in self._table.items()
            if SEPARATOR not in key and self._partition_of(key, value) == partition
        ]

    def _partition_of(self, key: bytes, value: bytes) -> int:
        # Not by borrowing: another partition's handler may hold that service's state just now.
        known = self._partitions.get(key)
        if known is None:
            known = self._partitions[key] = decode_state(unpack(value)[1]).partition
        return known

    def _slots(self, key: bytes) -> dict[int, bytes]:
        prefix = key + SEPARATOR
        return {
            int(name[len(prefix) :]): value
            for name, value in self._table.items()
            if name.startswith(prefix)
        }


def _slot_key(key: bytes, slot_ms: int) -> bytes:
    return key + SEPARATOR + str(slot_ms).encode()
