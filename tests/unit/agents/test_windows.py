"""Chains, clocks and slots: what is applied, when it is judged, that batching is nothing."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written_digests import (
    MEDIUM,
    ROUTINE,
    SERVICE,
    SEVERE,
    START_MS,
    analyzer,
    digests,
    line,
    progress,
    routine,
)

from agents.logic.windows.progress import ENDED, HOLD, Heard
from agents.logic.windows.slots import Placement, closable, place, totals, watermark
from agents.logic.windows.state import ServiceState, decode_state, encode_state
from schemas.digest import LogDigest
from schemas.finding import Finding
from streams.errors import DecodeError


def heard(*partitions: tuple[int, int, bool, bool], sent_ms: int = START_MS + 90_000_000) -> Heard:
    found = Heard()
    found.take(progress(*partitions, of=len(partitions), sent_ms=sent_ms))
    return found


def ranged(digest: LogDigest, from_offset: int, to_offset: int) -> LogDigest:
    source = digest.source.model_copy(update={"from_offset": from_offset, "to_offset": to_offset})
    return digest.model_copy(update={"source": source})


class TestChain:
    def test_the_slots_of_one_batch_are_applied_once_each(self) -> None:
        state, judge = ServiceState(SERVICE), analyzer()
        made = digests(routine([0, 12, 25]))
        for digest in made + made:
            judge.take(state, digest)
        mark = state.marks["logs.raw|0"]
        assert totals(mark).counted == 3
        assert [slot.events for _, slot in sorted(state.open.items())] == [1, 1, 1]

    def test_an_older_batch_is_a_repeat(self) -> None:
        state, judge = ServiceState(SERVICE), analyzer()
        first = digests(routine([0]))[0]
        judge.take(state, first)
        judge.take(state, digests(routine([20, 21]), from_offset=1)[0])
        assert judge.take(state, first).placement is Placement.REPEAT
        assert totals(state.marks["logs.raw|0"]).counted == 3

    def test_a_batch_over_the_mark_breaks_the_chain_and_is_counted_as_dead(self) -> None:
        state, judge = ServiceState(SERVICE), analyzer()
        digest = digests(routine([0, 1, 2, 3]))[0]
        judge.take(state, digest)
        applied = judge.take(state, ranged(digest, 2, 9))
        assert applied.placement is Placement.BROKEN
        mark = state.marks["logs.raw|0"]
        assert (totals(mark).counted, totals(mark).dead_lettered, mark.to_offset) == (4, 4, 4)

    def test_a_topic_made_anew_starts_a_new_chain_and_keeps_the_counts(self) -> None:
        state, judge = ServiceState(SERVICE), analyzer()
        judge.take(state, digests(routine([0, 1]), from_offset=500)[0])
        later = digests(routine([20]))[0]
        later = later.model_copy(update={"appended_ms": later.appended_ms + 7_200_000})
        assert place(state, later) is Placement.RECREATED
        judge.take(state, later)
        mark = state.marks["logs.raw|0"]
        assert (mark.first, mark.to_offset, totals(mark).counted) == (0, 1, 3)

    def test_a_digest_of_a_judged_slot_is_late_and_changes_no_count_of_lines(self) -> None:
        state, judge = ServiceState(SERVICE), analyzer()
        judge.take(state, digests(routine([0]))[0])
        judge.advance(state, heard((1, START_MS + 60_000, True, False)))
        applied = judge.take(state, digests(routine([3, 4]), from_offset=1)[0])
        assert applied.late
        assert totals(state.marks["logs.raw|0"]).late == 2
        assert not state.open


class TestWatermark:
    def carried(self) -> ServiceState:
        state = ServiceState(SERVICE)
        analyzer().take(state, digests(routine([30]), of=2)[0])
        return state

    def test_a_partition_never_heard_of_holds_everything_back(self) -> None:
        partial = Heard()
        partial.take(progress((1, START_MS, True, False), of=2))
        assert watermark(self.carried(), partial) == HOLD

    def test_a_partition_that_is_behind_holds_at_its_clock(self) -> None:
        told = heard((1, START_MS + 90_000, True, False), (0, START_MS - 5_000, False, False))
        assert watermark(self.carried(), told) == START_MS - 5_000

    def test_a_partition_that_is_caught_up_and_never_carried_it_does_not_hold(self) -> None:
        told = heard((1, START_MS + 90_000, True, False), (0, START_MS - 5_000, True, False))
        assert watermark(self.carried(), told) == START_MS + 90_000

    def test_such_a_word_counts_only_if_it_is_newer_than_the_lines(self) -> None:
        told = heard((1, START_MS + 90_000, True, False), (0, 0, True, False), sent_ms=START_MS)
        assert watermark(self.carried(), told) == HOLD

    def test_an_older_word_never_replaces_a_newer_one(self) -> None:
        told = heard((5, START_MS + 90_000, True, False), (0, 0, True, False))
        told.take(progress((3, START_MS, False, False), of=2))
        assert told.partitions["logs.raw|0"].offset == 5

    def test_an_idle_clock_from_before_the_lines_does_not_close_their_slots(self) -> None:
        told = heard((0, START_MS + 10**10, True, False), (0, START_MS + 10**10, True, False))
        assert watermark(self.carried(), told) <= START_MS + 30_000

    def test_when_all_have_ended_nothing_holds(self) -> None:
        told = heard((1, START_MS, True, True), (0, 0, True, True))
        assert watermark(self.carried(), told) == ENDED

    def test_lines_after_an_end_count_again(self) -> None:
        told = heard((0, START_MS, True, True), (0, 0, True, True))
        assert watermark(self.carried(), told) < ENDED

    @pytest.mark.parametrize(
        ("watermark_ms", "end_ms"), [(15_000, 10_000), (14_999, 0), (HOLD, HOLD), (ENDED, ENDED)]
    )
    def test_a_slot_closes_when_the_watermark_is_past_it_and_the_lateness(
        self, watermark_ms: int, end_ms: int
    ) -> None:
        assert closable(watermark_ms, 5_000) == end_ms


def test_a_state_comes_back_from_its_bytes() -> None:
    state, judge = ServiceState(SERVICE), analyzer()
    lines = [*routine(range(0, 300, 3)), line(START_MS + 301_000, SEVERE)]
    for digest in digests(lines):
        judge.take(state, digest)
    judge.advance(state, heard((101, START_MS + 290_000, True, False)))
    body = encode_state(state)
    assert encode_state(decode_state(body)) == body
    assert decode_state(body).shapes.keys() == state.shapes.keys()


def test_bytes_that_are_no_state_are_an_error() -> None:
    with pytest.raises(DecodeError, match="cannot be read"):
        decode_state(b"\x00nothing")


def test_a_thousand_shapes_stay_within_the_bound_on_shapes_and_bytes() -> None:
    state, judge = ServiceState(SERVICE), analyzer(max_shapes=200)
    words = [
        f"{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676)}x" for i in range(1_000)
    ]
    lines = [line(START_MS + i * 100, f"INFO {word} is done") for i, word in enumerate(words)]
    for digest in digests(lines):
        judge.take(state, digest)
        judge.advance(state, heard((9_999, START_MS + 10**9, True, False)))
    assert 0 < len(state.shapes) <= 200
    assert len(encode_state(state)) < 100_000


# The lines of two instances, one per raw partition: routine, a burst of errors, a severe line.
_LINES = {
    partition: [
        line(
            START_MS + second * 1_000 + partition,
            SEVERE if second == 200 else MEDIUM if 90 <= second < 130 else ROUTINE,
            f"shop-{partition}",
        )
        for second in range(0, 400, 5)
    ]
    for partition in (0, 1)
}


def run(cuts: dict[int, list[int]], order: list[int]) -> list[Finding]:
    """Batch each partition's lines at `cuts`, and give the batches in the order of `order`."""
    state, judge, told = ServiceState(SERVICE), analyzer(), Heard()
    told.take(progress((0, 0, False, False), (0, 0, False, False), of=2))
    batches: dict[int, list[list[LogDigest]]] = {}
    for partition, lines in _LINES.items():
        edges = sorted({0, len(lines), *cuts[partition]})
        batches[partition] = [
            digests(lines[start:end], start, partition=partition, of=2)
            for start, end in pairwise(edges)
        ]
    findings: list[Finding] = []
    queue = order + [0] * len(batches[0]) + [1] * len(batches[1])
    for partition in queue:
        if batches[partition]:
            for digest in batches[partition].pop(0):
                judge.take(state, digest)
                findings += judge.advance(state, told)
    told.take(progress((999, 0, True, True), (999, 0, True, True), of=2))
    findings += judge.advance(state, told)
    assert sum(totals(mark).counted for mark in state.marks.values()) == 160
    return findings


_EXPECTED = run({0: [], 1: []}, [])


@settings(max_examples=40, deadline=None)
@given(
    st.fixed_dictionaries({0: st.lists(st.integers(1, 79)), 1: st.lists(st.integers(1, 79))}),
    st.lists(st.integers(0, 1), max_size=60),
)
def test_batching_and_interleaving_change_no_finding(
    cuts: dict[int, list[int]], order: list[int]
) -> None:
    assert len(_EXPECTED) > 4
    assert run(cuts, order) == _EXPECTED


def test_a_line_knows_its_service() -> None:
    assert digests([replace(routine([1])[0], service="pay")])[0].service.endswith("/pay")
