"""The breaker: closed, open, half open with one trial; late news and hanging calls."""

from agents.llm.breaker import Breaker, BreakerState

OPEN_MS = 1_000


def breaker(failures: int = 3) -> Breaker:
    return Breaker(failures, OPEN_MS)


def opened(at_ms: int = 0) -> Breaker:
    made = breaker(1)
    made.failed(admitted(made, at_ms), at_ms)
    return made


def admitted(made: Breaker, at_ms: int):
    ticket = made.admit(at_ms)
    assert ticket is not None
    return ticket


def test_so_many_failures_in_a_row_open_it():
    made = breaker(3)
    for _ in range(2):
        made.failed(admitted(made, 0), 0)
        assert made.state(0) is BreakerState.CLOSED
    made.failed(admitted(made, 0), 0)
    assert made.state(0) is BreakerState.OPEN
    assert made.admit(0) is None


def test_an_answer_in_between_begins_the_count_anew():
    made = breaker(3)
    for _ in range(5):
        made.failed(admitted(made, 0), 0)
        made.failed(admitted(made, 0), 0)
        made.answered(0)
    assert made.state(0) is BreakerState.CLOSED


def test_after_its_time_one_call_tries_and_no_second():
    made = opened()
    assert made.admit(OPEN_MS - 1) is None
    assert made.state(OPEN_MS) is BreakerState.HALF_OPEN
    trial = admitted(made, OPEN_MS)
    assert trial.is_trial
    assert made.admit(OPEN_MS) is None
    assert made.admit(OPEN_MS * 50) is None
    assert made.allows(trial)


def test_a_trial_that_is_answered_closes_it():
    made = opened()
    admitted(made, OPEN_MS)
    made.answered(OPEN_MS + 1)
    assert made.state(OPEN_MS + 1) is BreakerState.CLOSED
    assert not admitted(made, OPEN_MS + 1).is_trial


def test_a_trial_that_fails_opens_it_for_the_same_time_again():
    made = opened()
    trial = admitted(made, OPEN_MS)
    made.failed(trial, OPEN_MS + 10)
    assert not made.allows(trial)
    assert made.state(2 * OPEN_MS + 9) is BreakerState.OPEN
    assert made.state(2 * OPEN_MS + 10) is BreakerState.HALF_OPEN


def test_a_trial_that_told_nothing_leaves_the_trial_to_another():
    made = opened()
    made.withdrawn(admitted(made, OPEN_MS))
    assert admitted(made, OPEN_MS).is_trial


def test_failures_of_calls_from_before_it_opened_change_nothing():
    made = breaker(2)
    early = [admitted(made, 0) for _ in range(10)]
    made.failed(early[0], 5)
    made.failed(early[1], 5)
    for ticket in early[2:]:
        made.failed(ticket, 900)
    assert made.state(5 + OPEN_MS) is BreakerState.HALF_OPEN, "it was opened once, not prolonged"


def test_an_answer_that_comes_late_closes_it_for_the_server_is_there():
    made = breaker(1)
    slow, quick = admitted(made, 0), admitted(made, 0)
    made.failed(quick, 1)
    assert not made.allows(slow)
    made.answered(2)
    assert made.state(2) is BreakerState.CLOSED
    assert made.allows(slow)


def test_one_call_that_hung_while_nobody_was_answered_opens_it():
    made = breaker(5)
    made.failed(admitted(made, 0), 30_000, hung_ms=30_000)
    assert made.state(30_000) is BreakerState.OPEN


def test_one_call_that_hung_while_others_were_answered_is_one_failure():
    made = breaker(5)
    ticket = admitted(made, 0)
    made.answered(20_000)
    made.failed(ticket, 30_000, hung_ms=30_000)
    assert made.state(30_000) is BreakerState.CLOSED


def test_what_was_answered_early_in_the_wait_does_not_speak_for_its_end():
    made = breaker(5)
    ticket = admitted(made, 0)
    made.answered(1_000)
    made.failed(ticket, 30_000, hung_ms=30_000)
    assert made.state(30_000) is BreakerState.OPEN
