"""Where to go on in each raw partition: what the group committed, held against what is there.

Comes in: an admin client, a started consumer, partitions. Goes out: one PartitionState each.
Promise: "nothing was committed" is believed only when the broker says so; an answer that is short
because its coordinator is still loading is asked for again, then raised, never taken for a start.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from streams.errors import BrokerError
from streams.ingest.promise import PartitionState, read_state

log = logging.getLogger(__name__)

ATTEMPTS = 40
PAUSE_SECONDS = 0.5


async def read_states(
    admin: AIOKafkaAdminClient,
    consumer: AIOKafkaConsumer,
    group: str,
    partitions: Iterable[TopicPartition],
) -> dict[TopicPartition, PartitionState]:
    """Return where `group` stands in each partition; raises BrokerError when nobody can say."""
    wanted = list(partitions)
    if not wanted:
        return {}
    committed = await _committed(admin, group, wanted)
    beginnings = await consumer.beginning_offsets(wanted)
    ends = await consumer.end_offsets(wanted)
    return {tp: _state(tp, committed[tp], beginnings[tp], ends[tp]) for tp in wanted}


async def _committed(
    admin: AIOKafkaAdminClient, group: str, wanted: list[TopicPartition]
) -> Mapping[TopicPartition, OffsetAndMetadata]:
    problem = "its answer lacks partitions"
    for _ in range(ATTEMPTS):
        try:
            found: Mapping[TopicPartition, OffsetAndMetadata]
            found = await admin.list_consumer_group_offsets(group, partitions=wanted)
        except KafkaError as error:
            problem = str(error) or type(error).__name__
        else:
            # The client hides an error of the whole group: then the partitions are just missing.
            if all(tp in found for tp in wanted):
                return found
        await asyncio.sleep(PAUSE_SECONDS)
    raise BrokerError(f"the coordinator of group {group} does not say what is committed: {problem}")


def _state(
    tp: TopicPartition, committed: OffsetAndMetadata, beginning: int, end: int
) -> PartitionState:
    if committed.offset < 0:
        return PartitionState(position=beginning, start=beginning)
    if committed.offset > end:
        log.warning("%s was created anew: it ends at %d, below %d", tp, end, committed.offset)
        return PartitionState(position=beginning, start=beginning)
    return skip_expired(read_state(committed.offset, committed.metadata), beginning)


def skip_expired(state: PartitionState, beginning: int) -> PartitionState:
    """Count what retention removed before we could read it, and go on behind it."""
    lost = beginning - state.position
    if lost <= 0:
        return state
    log.warning("retention removed %d records before they were read", lost)
    totals = state.totals.model_copy(update={"expired": state.totals.expired + lost})
    promised = state.promised_to
    kept = promised if promised is not None and promised > beginning else None
    return replace(state, position=beginning, promised_to=kept, totals=totals)
