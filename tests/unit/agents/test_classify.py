"""From an incident to its verdict and to the record that recommend reads."""

import pytest
from written_findings import correlate, finding

from agents.classify import revision_of
from agents.logic.judging.classifier import Classifier, load_classifier
from agents.logic.judging.incidents import judge_incident
from agents.logic.judging.records import to_record
from agents.state_codec import pack, position_of, unpack
from schemas.classification import Classification, Judge
from schemas.incident import Incident
from schemas.vocabulary import Category, FindingKind, Severity

WEB = "prod/shop/web"


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier()


def incident_of(*lines: str, **details: object) -> Incident:
    one = finding(WEB, count=30)
    shapes = tuple(
        one.shapes[0].model_copy(update={"shape_id": f"s{i}", "shape": line, "examples": (line,)})
        for i, line in enumerate(lines)
    )
    update = {"shapes": shapes, "ties": ("peer:db:5432",), **details}
    (incident,) = correlate([one.model_copy(update=update)])[1].values()
    return incident


DEADLOCK = "ERROR: deadlock detected; process 71 waits for ShareLock on transaction 9"


def test_the_lines_decide(classifier: Classifier):
    verdict = judge_incident(incident_of(DEADLOCK), classifier)
    assert verdict.category is Category.DATABASE
    assert 0.0 < verdict.confidence <= 1.0
    assert verdict.severity in Severity


def test_what_a_person_wrote_decides_where_no_line_speaks(classifier: Classifier):
    told = incident_of(
        kind=FindingKind.REPORTED,
        description="nobody can log in: brute force of ssh passwords from one address",
    )
    assert told.analysis.evidence == ()
    assert judge_incident(told, classifier).category is Category.SECURITY


def test_an_incident_without_lines_is_judged_by_what_was_seen(classifier: Classifier):
    silent = incident_of(kind=FindingKind.SILENCE, statement="web is silent since noon")
    verdict = judge_incident(silent, classifier)
    assert verdict.category in Category
    assert verdict.summary


def test_the_record_holds_all_that_a_plan_needs(classifier: Classifier):
    incident = incident_of(DEADLOCK)
    verdict = judge_incident(incident, classifier)
    record = to_record(
        incident, verdict, Judge(backend="baseline", model="baseline-abc", latency_ms=1.23456)
    )
    assert (record.incident_id, record.revision) == (incident.id, incident.revision)
    assert record.category is verdict.category
    assert record.priority is verdict.priority
    assert record.abstained is verdict.abstained
    assert record.judge.model == "baseline-abc"
    assert record.judge.latency_ms == 1.23456
    assert record.evidence == incident.analysis.evidence
    brief = record.incident
    for name in ("service", "services", "title", "status", "opened_ms", "count", "ties",
                 "analysis", "description", "appended_ms"):  # fmt: skip
        assert getattr(brief, name) == getattr(incident, name), name
    assert Classification.from_bytes(record.to_bytes()) == record


def test_the_revision_is_read_without_the_rest(classifier: Classifier):
    incident = incident_of(DEADLOCK)
    record = to_record(
        incident,
        judge_incident(incident, classifier),
        Judge(backend="baseline", model="m", latency_ms=0.0),
    )
    assert revision_of(record.to_bytes()) == incident.revision
    assert revision_of(b'{"revision": 4, "from": "the future"}') == 4


def test_more_lines_than_the_record_takes_are_cut(classifier: Classifier):
    incident = incident_of(*(f"{DEADLOCK} {'x' * 400} {i}" for i in range(40)))
    record = to_record(
        incident,
        judge_incident(incident, classifier),
        Judge(backend="baseline", model="m", latency_ms=0.0),
    )
    assert len(record.summary) <= 512


def test_a_state_value_holds_its_position_before_its_body():
    value = pack(2**40 + 7, b'{"a": 1}')
    assert position_of(value) == 2**40 + 7
    assert unpack(value) == (2**40 + 7, b'{"a": 1}')
    assert pack(-1, b"")[:8] == b"\xff" * 8
