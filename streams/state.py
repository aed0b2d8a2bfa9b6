"""A Faust table whose changelog is written first and awaited.

Comes in: one state value per decision, with the position (source offset, or revision) it reflects.
Goes out: the value, in the changelog before it is in memory. Promise: when `write` returns, the
broker has the value; recovery keeps the value with the higher position, so a stale late write by a
process that lost its partition changes nothing.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import faust
from faust.tables.table import Table
from faust.types import EventT

from streams.outbox import Outbox

log = logging.getLogger(__name__)

Position = Callable[[bytes], int]


class StateTable:
    """Bytes by key, kept in one co-partitioned changelog topic."""

    def __init__(
        self, app: faust.App, outbox: Outbox, topic_name: str, partitions: int, position: Position
    ) -> None:
        self._outbox = outbox
        self._topic_name = topic_name
        self._table = _KeepHigher(
            app,
            position,
            name=topic_name,
            key_type=bytes,
            value_type=bytes,
            partitions=partitions,
            changelog_topic=app.topic(
                topic_name,
                key_type=bytes,
                value_type=bytes,
                key_serializer="raw",
                value_serializer="raw",
                partitions=partitions,
                acks=False,
                internal=True,
                allow_empty=True,
                maxsize=131_072,
            ),
        )

    def read(self, key: bytes) -> bytes | None:
        """Return the present value, or None."""
        value: bytes | None = self._table.data.get(key)
        return value

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        """Return what is held in memory now, of all partitions that this process owns."""
        return list(self._table.data.items())

    async def write(
        self,
        key: bytes,
        value: bytes,
        *,
        partition: int,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Write `value` to the changelog, wait for the broker, then hold it in memory."""
        await self.write_all([(key, value)], partition=partition, headers=headers)

    async def write_all(
        self,
        entries: Sequence[tuple[bytes, bytes | None]],
        *,
        partition: int,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Write several values in this order; None removes a key.

        A crash may leave only the first of them written: the caller orders them so that this does
        no harm.
        """
        await self._outbox.publish_raw(
            self._topic_name, entries, partition=partition, headers=headers
        )
        for key, value in entries:
            if value is None:
                self._table.data.pop(key, None)
            else:
                self._table.data[key] = value


class _KeepHigher(Table[bytes, bytes]):
    """Recovers the value with the highest position instead of the last one in the log."""

    def __init__(self, app: faust.App, position: Position, **options: Any) -> None:
        super().__init__(app, **options)
        self._position = position
        app.tables.add(self)

    def apply_changelog_batch(self, batch: Iterable[EventT[Any]]) -> None:
        """Apply recovered events, leaving out those that are behind what is already known."""
        highest: dict[bytes, int] = {}
        kept = []
        for event in batch:
            key, value = event.message.key, event.message.value
            if key is None:
                continue
            if value is not None:
                position = self._position_or_none(value)
                if position is None:
                    log.warning("%s holds a value that is not ours: left out", self.name)
                    continue
                known = highest.get(key)
                if known is None and (held := self.data.get(key)) is not None:
                    known = self._position(held)
                if known is not None and position < known:
                    continue
                highest[key] = position
            kept.append(event)
        super().apply_changelog_batch(kept)

    def _position_or_none(self, value: bytes) -> int | None:
        """Return a value's position; None where it is not ours, which must not stop recovery."""
        try:
            return self._position(value)
        except Exception:
            return None
