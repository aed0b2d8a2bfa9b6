"""The life of a condition: its steps, its counts, its ids, and what the end of the input tells."""

from written_digests import (
    MEDIUM,
    SERVICE,
    SEVERE,
    START_MS,
    Wordings,
    analyzer,
    digests,
    line,
    progress,
    routine,
)

from agents.logic.pipeline import Line, run_lines
from agents.logic.windows.grading import Grader
from agents.logic.windows.progress import Heard
from agents.logic.windows.state import ServiceState
from schemas.finding import Finding
from schemas.vocabulary import FindingKind, FindingPhase


def steps(lines: list[Line], *, ended: bool = True) -> list[Finding]:
    grader = Grader(Wordings())  # type: ignore[arg-type]
    return run_lines(sorted(lines, key=lambda one: one.text), grader, ended=ended).findings


def phases(findings: list[Finding]) -> list[tuple[str, int, int]]:
    return [(f.phase.value, (f.slot_ms - START_MS) // 1_000, f.count) for f in findings]


def severe(*seconds: int) -> list[Line]:
    return [line(START_MS + second * 1_000, SEVERE) for second in seconds]


def test_it_opens_settles_and_clears() -> None:
    found = steps([*routine(range(0, 400, 5)), *severe(32)])
    assert phases(found) == [("opened", 30, 1), ("updated", 50, 1), ("cleared", 330, 1)]
    assert [f.sequence for f in found] == [0, 1, 2]
    assert len({f.condition_id for f in found}) == 1
    assert len({f.id for f in found}) == 3


def test_updates_come_at_growing_intervals_and_only_with_news() -> None:
    found = steps(
        [*routine(range(0, 1_200, 5)), *severe(*range(0, 400, 10), *range(600, 900, 100))]
    )
    assert [slot for phase, slot, _ in phases(found) if phase == "updated"] == [20, 60, 300, 900]
    assert [f.count for f in found] == sorted(f.count for f in found)


def test_the_end_of_the_input_settles_and_tells_what_is_untold() -> None:
    found = steps([*routine(range(0, 60, 5)), *severe(51, 58)])
    assert phases(found) == [("opened", 50, 2), ("updated", 70, 2)]
    found = steps([*routine(range(0, 120, 5)), *severe(51, 95, 96)])
    assert phases(found)[-1] == ("updated", 110, 3)


def test_without_an_end_progress_alone_settles_it() -> None:
    state, judge, told = ServiceState(SERVICE), analyzer(), Heard()
    for digest in digests([*routine(range(0, 30, 5)), *severe(31)]):
        judge.take(state, digest)
    seen: list[Finding] = []
    for second in (46, 60, 66, 90):
        told.take(progress((9, START_MS + second * 1_000, True, False), sent_ms=START_MS + second))
        seen += judge.advance(state, told)
    assert phases(seen) == [("opened", 30, 1), ("updated", 50, 1)]


def test_the_same_trouble_has_the_same_fingerprint_and_a_new_id_when_it_is_back() -> None:
    found = steps([*routine(range(0, 1_000, 5)), *severe(10, 800)])
    opened = [f for f in found if f.phase is FindingPhase.OPENED]
    assert len(opened) == 2
    assert opened[0].fingerprint == opened[1].fingerprint
    assert opened[0].condition_id != opened[1].condition_id


def test_what_opens_in_one_slot_comes_with_the_worst_first() -> None:
    lines = [line(START_MS + i * 100, MEDIUM) for i in range(6)]
    found = steps([*routine(range(0, 30, 5)), *lines, *severe(1)])
    opened = [f for f in found if f.phase is FindingPhase.OPENED]
    assert [f.kind for f in opened] == [FindingKind.RARE_SEVERE, FindingKind.NEW_TEMPLATE]
    assert {f.opened_ms for f in opened} == {START_MS}


def test_after_the_end_nothing_is_told_twice() -> None:
    state, judge, told = ServiceState(SERVICE), analyzer(), Heard()
    for digest in digests(severe(1, 2, 3)):
        judge.take(state, digest)
    told.take(progress((3, START_MS, True, True)))
    assert judge.advance(state, told)
    told.take(progress((3, START_MS, True, True), sent_ms=START_MS + 95_000_000))
    assert judge.advance(state, told) == []
