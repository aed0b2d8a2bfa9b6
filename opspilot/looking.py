"""Topics read once, within bounds, for a look at what there is.

Comes in: a topic. Goes out: its records. Promise: no group, nothing is committed; of a compacted
topic the latest record per key; what cannot be read is passed over; the log says where a bound was.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

from aiokafka import ConsumerRecord
from pydantic import ValidationError

from schemas.base import Record
from schemas.topics import Cleanup, Topic
from streams.settings import Settings
from streams.tailing import TopicTail

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Record)

MAX_RECORDS = 200_000
"""Records of one topic that are looked at; the log says so where there are more."""


class _EnoughError(Exception):
    """The bound of records is reached."""


async def read_records(settings: Settings, topic: Topic, kind: type[R]) -> list[R]:
    """Return the records of a topic, of a compacted one the latest per key; unreadable ones not."""
    latest: dict[object, bytes] = {}
    compacted = topic.cleanup is not Cleanup.DELETE

    def take(record: ConsumerRecord) -> None:
        key = record.key if compacted else (record.partition, record.offset)
        latest.pop(key, None)
        if record.value is not None:
            latest[key] = record.value

    await look_through(settings, topic, take)
    found = []
    for value in latest.values():
        try:
            found.append(kind.from_bytes(value))
        except ValidationError:
            continue
    return found


async def look_through(
    settings: Settings,
    topic: Topic,
    take: Callable[[ConsumerRecord], None],
    since_ms: int = 0,
    most: int = MAX_RECORDS,
) -> None:
    """Give the first `most` records appended at or after `since_ms` to `take`; BrokerError."""
    seen = 0

    def bounded(record: ConsumerRecord) -> None:
        nonlocal seen
        seen += 1
        if seen > most:
            raise _EnoughError
        take(record)

    tail = TopicTail(settings, topic, since_ms)
    try:
        await tail.read_new(bounded)
    except _EnoughError:
        log.warning("of topic %s only %d records were looked at", topic.short, most)
    finally:
        await tail.close()
