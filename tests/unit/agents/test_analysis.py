"""The analysis of an incident without a model."""

import pytest
from written_findings import finding, later

from agents.logic.incidents.analysis import MAX_ANOMALIES, MAX_EVIDENCE, analyse, severity_of
from agents.logic.incidents.episodes import Condition
from schemas.vocabulary import FindingKind, Level, Severity

WEB, DB = "prod/shop/web", "prod/shop/db"
WHEN = "2027-01-15T08:00:00.000Z"


def conditions(*findings):
    return [Condition.begin(one) for one in findings]


def test_the_worst_finding_leads_the_summary():
    small = finding(WEB, subject="small", score=0.2)
    large = finding(DB, subject="large", score=0.9, count=40)
    analysis = analyse(conditions(small, large), (DB, WEB), WHEN)
    assert analysis.summary == (
        f"Since {WHEN}, db, web: large came 40 times (1 further condition)."
    )
    assert [anomaly.service for anomaly in analysis.anomalies] == [DB, WEB]


def test_many_services_and_conditions_are_counted_not_listed():
    found = [finding(f"p/n/s{i}", subject=f"x{i}") for i in range(20)]
    services = tuple(f"p/n/s{i}" for i in range(20))
    analysis = analyse(conditions(*found), services, WHEN)
    assert "s0, s1, s2 and 17 more" in analysis.summary
    assert "(19 further conditions)" in analysis.summary
    assert len(analysis.anomalies) == MAX_ANOMALIES
    assert len(analysis.evidence) == MAX_EVIDENCE
    assert len(analysis.summary) <= 512


def test_a_shape_stands_once_with_its_largest_count():
    burst = finding(WEB, kind=FindingKind.BURST, count=40)
    ratio = finding(WEB, kind=FindingKind.ERROR_RATIO, count=55)
    analysis = analyse(conditions(burst, ratio), (WEB,), WHEN)
    assert [shape.count for shape in analysis.evidence] == [55]
    assert [pattern.count for pattern in analysis.patterns] == [55]


def test_what_reads_like_a_problem_comes_before_what_is_frequent():
    loud = finding(WEB, subject="loud", count=900, problem=0.1)
    bad = finding(WEB, subject="bad", count=2, problem=0.9)
    analysis = analyse(conditions(loud, bad), (WEB,), WHEN)
    assert [shape.shape_id for shape in analysis.evidence] == ["bad", "loud"]


def test_it_does_not_depend_on_the_order_of_the_conditions():
    found = conditions(*(finding(WEB, subject=f"x{i}", score=0.5) for i in range(5)))
    assert analyse(found, (WEB,), WHEN) == analyse(found[::-1], (WEB,), WHEN)


@pytest.mark.parametrize("kind", list(FindingKind))
def test_every_kind_has_something_to_do(kind: FindingKind):
    analysis = analyse(conditions(finding(WEB, kind=kind)), (WEB,), WHEN)
    assert len(analysis.suggested_actions) == 1
    assert "{" not in analysis.suggested_actions[0]


@pytest.mark.parametrize(
    ("kind", "level", "problem", "count", "wanted"),
    [
        (FindingKind.BURST, Level.INFO, 0.0, 5, Severity.MEDIUM),
        (FindingKind.BURST, Level.ERROR, 0.9, 3, Severity.MEDIUM),
        (FindingKind.BURST, Level.ERROR, 0.1, 10, Severity.HIGH),
        (FindingKind.SILENCE, None, 0.0, 0, Severity.HIGH),
        (FindingKind.ERROR_RATIO, Level.WARN, 0.0, 1, Severity.HIGH),
        (FindingKind.BURST, Level.FATAL, 0.1, 1, Severity.HIGH),
        (FindingKind.BURST, Level.FATAL, 0.6, 1, Severity.CRITICAL),
    ],
)
def test_severity_comes_from_evidence(kind, level, problem, count, wanted):
    one = finding(WEB, kind=kind, level=level, problem=problem, count=count)
    assert severity_of([one]) is wanted
    assert severity_of([one, finding(DB, level=Level.INFO, problem=0.0)]) is wanted


def test_the_latest_step_of_a_condition_counts():
    first = finding(WEB, count=1)
    grown = Condition.begin(first).after(later(first, 60, count=50, statement="50 times now"))
    assert "50 times now" in analyse([grown], (WEB,), WHEN).summary
