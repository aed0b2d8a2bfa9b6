"""Each kind of finding: what calls for it, and what does not."""

from written_digests import MEDIUM, ROUTINE, SEVERE, START_MS, Wordings, line, routine

from agents.logic.pipeline import Line, run_lines
from agents.logic.windows.grading import Grader
from agents.logic.windows.ties import hosts_of, ties_of
from schemas.finding import Finding
from schemas.vocabulary import FindingKind, FindingPhase


def opened(lines: list[Line]) -> list[Finding]:
    grader = Grader(Wordings())  # type: ignore[arg-type]
    outcome = run_lines(sorted(lines, key=lambda one: one.text), grader)
    return [finding for finding in outcome.findings if finding.phase is FindingPhase.OPENED]


def kinds(lines: list[Line]) -> list[FindingKind]:
    return [finding.kind for finding in opened(lines)]


def at(second: float, text: str) -> Line:
    return line(START_MS + int(second * 1_000), text)


def test_routine_lines_are_nothing() -> None:
    assert opened(routine(range(0, 3_600, 4))) == []


def test_one_severe_line_is_enough() -> None:
    found = opened([*routine(range(0, 60, 5)), at(31, SEVERE)])
    assert [finding.kind for finding in found] == [FindingKind.RARE_SEVERE]
    assert found[0].opened_ms == START_MS + 30_000
    assert "store is corrupt" in found[0].shapes[0].examples[0]
    assert found[0].sources[0].to_offset > found[0].sources[0].from_offset


def test_one_medium_line_is_not_enough() -> None:
    assert opened([*routine(range(0, 600, 5)), at(100, MEDIUM), at(400, MEDIUM)]) == []


def test_medium_lines_within_a_minute_are() -> None:
    found = opened([*routine(range(0, 300, 5)), *(at(100 + 8 * i, MEDIUM) for i in range(6))])
    assert [finding.kind for finding in found] == [FindingKind.NEW_TEMPLATE]
    assert found[0].count >= 3, "the lines before the one that tipped the scales count too"


def test_different_medium_lines_add_up() -> None:
    lines = [
        at(100 + i, f"ERROR {word} failed") for i, word in enumerate(("alpha", "beta", "gamma"))
    ]
    assert len(opened([*routine(range(0, 300, 5)), *lines])) == 3


def test_one_failed_login_in_many_words_is_not_enough() -> None:
    words = ("alpha", "beta", "gamma", "delta")
    once = [at(100, f"sshd[41]: bad {word} login") for word in words]
    assert opened([*routine(range(0, 300, 5)), *once]) == []


def test_a_noise_that_was_always_there_is_known_and_much_more_of_it_is_a_burst() -> None:
    noise = [at(second, MEDIUM) for second in range(0, 7_200, 150)]
    background = routine(range(0, 7_200, 5))
    assert opened([*background, *noise]) == []
    burst = [at(6_005 + i / 4, MEDIUM) for i in range(16)]
    found = opened([*background, *noise, *burst])
    assert FindingKind.BURST in [finding.kind for finding in found]
    assert found[0].observed > 4 * max(found[0].expected, 0.1)


def test_a_new_shape_of_a_known_template_is_not_new() -> None:
    hosts = ["north", "south", "east", "west", "upper", "lower", "inner", "outer"]
    noise = [
        at(second, f"ERROR replica {hosts[i % 7]} of the order store lags")
        for i, second in enumerate(range(0, 7_200, 60))
    ]
    background = routine(range(0, 7_300, 5))
    last = [at(7_205 + i, f"ERROR replica {hosts[7]} of the order store lags") for i in range(2)]
    assert opened([*background, *noise, *last]) == opened([*background, *noise])


def test_a_rising_share_of_errors() -> None:
    background = routine(range(0, 1_500, 2))
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"]
    errors = [at(1_200 + i, f"ERROR {words[i % 6]} failed") for i in range(60)]
    assert FindingKind.ERROR_RATIO in kinds([*background, *errors])
    steady = [at(second, "ERROR cache miss") for second in range(0, 1_500, 20)]
    assert FindingKind.ERROR_RATIO not in kinds([*background, *steady])


def test_durations_that_grow_several_fold() -> None:
    def served(second: int, took_ms: int) -> list[Line]:
        return [at(second + i, f"INFO request served in {took_ms + i} ms") for i in range(8)]

    usual = [one for second in range(0, 600, 10) for one in served(second, 20)]
    slow = [one for second in range(600, 660, 10) for one in served(second, 400)]
    found = [f for f in opened([*usual, *slow]) if f.kind is FindingKind.LATENCY]
    assert len(found) == 1
    assert found[0].unit == "ms"
    assert found[0].observed > 5 * found[0].expected
    assert opened(usual) == []


def test_a_steady_service_that_falls_silent_and_comes_back() -> None:
    before, after = routine(range(0, 1_800, 2)), routine(range(2_100, 2_400, 2))
    found = opened([*before, *after])
    assert [finding.kind for finding in found] == [FindingKind.SILENCE]
    assert found[0].opened_ms == START_MS + 1_850_000
    assert opened(before) == [], "the end of the input is no silence"


def test_a_service_that_pauses_often_is_not_missed() -> None:
    lines = [one for start in range(0, 3_600, 200) for one in routine(range(start, start + 60, 2))]
    assert opened(lines) == []


def test_a_steady_service_that_drops_to_a_trickle() -> None:
    found = opened([*routine(range(0, 1_800, 1)), *routine(range(1_800, 2_100, 10))])
    assert [finding.kind for finding in found] == [FindingKind.DROP]


def test_a_service_that_starts_by_failing_is_found_in_its_first_slot() -> None:
    found = opened([at(i / 2, MEDIUM) for i in range(10)])
    assert found[0].opened_ms == START_MS


def test_a_noisy_service_does_not_flood() -> None:
    words = [f"{chr(97 + i // 26)}{chr(97 + i % 26)}q" for i in range(300)]
    lines = [at(i, f"ERROR {word} failed in {word}") for i, word in enumerate(words)]
    assert 0 < len(opened(lines)) <= 20


def test_information_is_not_suspicious_however_much_of_it_there_is() -> None:
    burst = [at(1_000 + i / 100, ROUTINE) for i in range(3_000)]
    assert opened([*routine(range(0, 1_500, 5)), *burst]) == []


class TestTies:
    def test_peers_and_traces_are_found(self) -> None:
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        found = ties_of([f"dial tcp 10.2.0.7:5432: refused trace_id={trace}"])
        assert found == {"peer:10.2.0.7:5432", f"trace:{trace}"}

    def test_names_need_to_look_like_hosts(self) -> None:
        assert ties_of(["cannot reach db-main.prod:5432"]) == {"peer:db-main.prod:5432"}
        assert ties_of(["at 12:30:45 Main.java:120 main.go:42: failed: code:42"]) == set()

    def test_loopback_ties_nothing(self) -> None:
        assert ties_of(["refused by 127.0.0.1:80 and localhost:80 and 0.0.0.0:80"]) == set()

    def test_a_service_name_is_no_host(self) -> None:
        assert hosts_of(["checkout", "node-17", "10.0.0.3"]) == {"host:node-17", "host:10.0.0.3"}
