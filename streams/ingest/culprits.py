"""One record that breaks the reducer must cost one record, not the partition.

Comes in: a reducer and a batch. Goes out: what the batch came to, with any record that cannot be
reduced among the dead. Promise: like the reducer itself, a function of the batch alone.
"""

from dataclasses import replace

from streams.ingest.batch import DeadRecord, RawBatch, Reduced
from streams.ingest.reduce import Reducer

REASON = "reducer-error"


def reduce_surely(reducer: Reducer, batch: RawBatch) -> Reduced:
    """Reduce `batch`; raises only what no single record is to blame for."""
    try:
        return reducer.reduce(batch)
    except Exception:
        blamed = _find_culprits(reducer, batch)
        if not blamed:
            raise
    reduced = reducer.reduce(_only(batch, [i for i in range(len(batch)) if i not in blamed]))
    dead = [DeadRecord(batch.offsets[i], REASON, message) for i, message in blamed.items()]
    counts = reduced.counts.model_copy(
        update={
            "received": reduced.counts.received + len(dead),
            "dead_lettered": reduced.counts.dead_lettered + len(dead),
        }
    )
    together = sorted([*reduced.dead, *dead], key=lambda record: record.offset)
    return replace(reduced, dead=together, counts=counts)


def _find_culprits(reducer: Reducer, batch: RawBatch) -> dict[int, str]:
    """Return what each record that fails by itself fails with, by its index."""
    blamed = {}
    for i in range(len(batch)):
        alone = _only(batch, [i])
        try:
            reducer.reduce(alone)
        except Exception as error:
            blamed[i] = f"{type(error).__name__}: {error}"
    return blamed


def _only(batch: RawBatch, keep: list[int]) -> RawBatch:
    return replace(
        batch,
        offsets=[batch.offsets[i] for i in keep],
        append_ms=[batch.append_ms[i] for i in keep],
        keys=[batch.keys[i] for i in keep],
        values=[batch.values[i] for i in keep],
        headers=[batch.headers[i] for i in keep] if batch.headers is not None else None,
    )
