"""One record that breaks the reducer costs one record."""

from typing import Any

import pytest

from streams.ingest.batch import RawBatch, Reduced, ReducerOptions
from streams.ingest.culprits import REASON, reduce_surely
from streams.ingest.reduce import Reducer


class _Fragile(Reducer):
    """Breaks on a certain value, as a bug would."""

    def reduce(self, batch: RawBatch) -> Reduced:
        if b"poison" in batch.values:
            raise IndexError("a bug")
        return super().reduce(batch)


def _batch(values: list[bytes | None]) -> RawBatch:
    n = len(values)
    return RawBatch("raw", 0, 10, 10 + n, list(range(10, 10 + n)), [1_790_000_000_000] * n,
                    [b"svc"] * n, values)  # fmt: skip


def test_only_the_culprit_is_set_aside() -> None:
    lines: list[bytes | None] = [b"one line", b"poison", b"another line"]
    reduced = reduce_surely(_Fragile(ReducerOptions()), _batch(lines))
    assert [(d.offset, d.reason) for d in reduced.dead] == [(11, REASON)]
    assert reduced.counts.received == 3
    assert reduced.counts.dead_lettered == 1
    assert sum(d.records for d in reduced.digests) == 2


def test_a_good_batch_is_reduced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    reducer = Reducer(ReducerOptions())
    whole = reducer.reduce

    def counting(batch: RawBatch) -> Any:
        calls.append(len(batch))
        return whole(batch)

    monkeypatch.setattr(reducer, "reduce", counting)
    reduce_surely(reducer, _batch([b"a line"] * 5))
    assert calls == [5]


def test_a_fault_of_the_whole_batch_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    reducer = Reducer(ReducerOptions())
    whole = reducer.reduce

    def only_alone(batch: RawBatch) -> Any:
        if len(batch) > 1:
            raise MemoryError("too many")
        return whole(batch)

    monkeypatch.setattr(reducer, "reduce", only_alone)
    with pytest.raises(MemoryError):
        reduce_surely(reducer, _batch([b"a line"] * 3))
