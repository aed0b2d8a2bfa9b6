import random

import pytest

from agents.logic.judging.classifier import load_classifier
from agents.logic.judging.severity import Graded, priority_of, severity_distribution, severity_of
from agents.logic.judging.summary import excerpt
from agents.logic.judging.verdict import Evidence, judge
from schemas.vocabulary import Category, FindingKind, Level, Priority, Severity

MEDIUM = {
    Severity.CRITICAL: 0.05,
    Severity.HIGH: 0.25,
    Severity.MEDIUM: 0.6,
    Severity.LOW: 0.1,
}
CRITICAL = {
    Severity.CRITICAL: 0.9,
    Severity.HIGH: 0.1,
    Severity.MEDIUM: 0.0,
    Severity.LOW: 0.0,
}


def graded(grades=MEDIUM, *, weight=1.0, problem=1.0, count=1, kind=None):
    return Graded(weight, problem, grades, count, kind)


def mean_rank(distribution):
    return sum(severity.rank * share for severity, share in distribution.items())


def test_a_certain_grade_is_the_answer():
    for severity in Severity:
        assert severity_of({s: float(s is severity) for s in Severity}) is severity


def test_one_panic_among_warnings_weighs_more_than_its_share():
    mixed = severity_distribution([graded()] * 3 + [graded(CRITICAL)], services=1)
    assert sum(mixed.values()) == pytest.approx(1)
    assert mixed[Severity.CRITICAL] > (3 * 0.05 + 0.9) / 4


@pytest.mark.parametrize(
    ("few", "many"),
    [
        ([graded(count=1)], [graded(count=500)]),
        ([graded()], [graded(kind=FindingKind.ERROR_RATIO)]),
    ],
)
def test_repetition_and_kind_raise_the_grade(few, many):
    assert mean_rank(severity_distribution(many, services=1)) > mean_rank(
        severity_distribution(few, services=1)
    )


def test_repeated_routine_lines_raise_nothing():
    once = severity_distribution([graded(problem=0.01)], services=1)
    often = severity_distribution([graded(problem=0.01, count=500)], services=1)
    assert often == once


def test_more_services_raise_the_grade():
    one, three = (severity_distribution([graded()], services=n) for n in (1, 3))
    assert mean_rank(three) > mean_rank(one)


def test_silence_is_graded_without_words():
    silent = severity_distribution([graded(kind=FindingKind.SILENCE)], services=1)
    assert severity_of(silent) is Severity.HIGH


@pytest.mark.parametrize(
    ("severity", "services", "count", "priority"),
    [
        (Severity.CRITICAL, 1, 1, Priority.P1),
        (Severity.CRITICAL, 9, 9_999, Priority.P1),
        (Severity.HIGH, 1, 1, Priority.P2),
        (Severity.HIGH, 3, 1, Priority.P1),
        (Severity.MEDIUM, 1, 10, Priority.P3),
        (Severity.MEDIUM, 1, 5_000, Priority.P2),
        (Severity.LOW, 1, 5_000, Priority.P4),
        (Severity.LOW, 3, 1, Priority.P3),
    ],
)
def test_priority_is_severity_by_scope(severity, services, count, priority):
    assert priority_of(severity, services=services, count=count) is priority


LINES = [
    Evidence("FATAL could not write to file: No space left on device", Level.FATAL, 3),
    Evidence("INFO checkpoint complete", Level.INFO, 40),
    Evidence("ERROR disk /dev/sdb1 is full, 100% used", Level.ERROR, 7),
]


def test_the_order_of_the_evidence_changes_nothing():
    classifier = load_classifier()
    first = judge("store", LINES, classifier)
    for seed in range(5):
        shuffled = LINES.copy()
        random.Random(seed).shuffle(shuffled)
        assert judge("store", shuffled, classifier) == first
    assert first.category is Category.HARDWARE


def test_a_repeated_routine_line_does_not_drown_the_problem():
    noise = Evidence("INFO connection accepted from 10.0.0.9:4122", Level.INFO, 100_000)
    alone = judge("store", LINES, load_classifier())
    drowned = judge("store", [*LINES, noise], load_classifier())
    assert drowned.category is alone.category
    assert drowned.problem == alone.problem


def test_equal_wordings_count_as_one_line():
    lines = [Evidence(f"connection to 10.0.0.{n} refused", Level.ERROR) for n in range(8)]
    summed = [Evidence("connection to 10.0.0.0 refused", Level.ERROR, 8)]
    classifier = load_classifier()
    split, whole = judge("api", lines, classifier), judge("api", summed, classifier)
    assert (split.category, split.severity, split.confidence) == (
        whole.category,
        whole.severity,
        whole.confidence,
    )
    assert "8 times" in split.summary


def test_stack_frames_do_not_outvote_the_message():
    message = Evidence("ERROR duplicate key value violates unique constraint", Level.ERROR)
    frames = [
        Evidence(f"\tat org.acme.security.auth.TokenFilter{c}.check(TokenFilter.java:4)", None)
        for c in "ABCDEFGH"
    ]
    assert judge("postgres", [message, *frames], load_classifier()).category is Category.DATABASE


def test_the_summary_speaks_of_the_evidence():
    verdict = judge("checkout", [LINES[0]], load_classifier(), services=3)
    assert verdict.summary.startswith('checkout logged "')
    assert "No space left on device" in verdict.summary
    assert "2 other services" in verdict.summary
    assert "\n" not in verdict.summary


def test_a_kind_without_bad_words_is_said_by_its_kind():
    calm = Evidence("INFO order accepted", Level.INFO, 1, FindingKind.SILENCE)
    assert "has stopped logging" in judge("orders", [calm], load_classifier()).summary


def test_no_evidence_is_an_error_that_names_the_service():
    with pytest.raises(ValueError, match="'api'"):
        judge("api", [], load_classifier())


def test_an_excerpt_leaves_out_stamp_and_level_and_is_short():
    assert excerpt("2026-03-11 08:14:02,112 ERROR pool is empty") == "pool is empty"
    assert excerpt("Mar 11 08:14:02 pool is\n empty") == "pool is empty"
    assert len(excerpt("word " * 500)) < 200
    assert excerpt("ERROR") == "ERROR"
