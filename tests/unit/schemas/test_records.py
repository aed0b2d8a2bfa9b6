"""Records: frozen, camelCase, tolerant within a major version, the same bytes for the same content.

One written sample per record type; a type without a sample fails the first test.
"""

import json
from datetime import timedelta

import pytest
from pydantic import ValidationError

from schemas.base import Record
from schemas.classification import Classification, IncidentBrief, Judge
from schemas.digest import (
    Example,
    LogDigest,
    PartitionProgress,
    Progress,
    RawRange,
    ShapeCount,
)
from schemas.export import record_types
from schemas.finding import Finding, ShapeEvidence
from schemas.ids import content_id
from schemas.incident import Anomaly, Incident, LogAnalysis, Pattern, TimelineEntry
from schemas.investigation import (
    EvidenceRef,
    Investigation,
    InvestigationEnd,
    InvestigationStep,
)
from schemas.learning import (
    BaselineArtefact,
    DriftScore,
    Feedback,
    ModelRelease,
    ModelRole,
    RetrainingRequest,
    RetrainingResult,
    TrainingState,
)
from schemas.ledger import IngestTotals, LedgerEntry, WindowTotals
from schemas.remediation import (
    Citation,
    Command,
    CommandVerdict,
    RemediationPlan,
    RemediationStep,
    Risk,
)
from schemas.services import Platform, ServiceInfo, ServiceName
from schemas.vocabulary import (
    Category,
    FindingKind,
    FindingPhase,
    IncidentStatus,
    Level,
    Priority,
    Severity,
)

NOW_MS = 1_800_000_000_000
SERVICE = "prod/shop/checkout"
RANGE = RawRange(topic="opspilot.logs.raw", partition=3, from_offset=10, to_offset=20)
SHAPE = ShapeEvidence(shape_id="s1", shape="refused by <*>", level=Level.ERROR, count=4)
ANALYSIS = LogAnalysis(
    summary="Since noon: refused.",
    severity=Severity.HIGH,
    anomalies=(
        Anomaly(kind=FindingKind.BURST, service=SERVICE, statement="a burst", observed=4.0,
                expected=0.5, unit="events per 10 s", count=4, since_ms=NOW_MS),
    ),
    patterns=(Pattern(template="refused by <*>", count=4, service=SERVICE),),
    suggested_actions=("Look.",),
    evidence=(SHAPE,),
)  # fmt: skip
JUDGE = Judge(backend="baseline", model="baseline-1")
SAMPLES: list[Record] = [
    LogDigest(
        service=SERVICE, slot_ms=NOW_MS, source=RANGE, raw_partitions=6, records=10, events=9,
        shapes=(
            ShapeCount(shape_id="s1", shape="refused by <*>", level=Level.ERROR, status_class=5,
                       count=9, first_ms=NOW_MS, last_ms=NOW_MS + 9,
                       examples=(Example(offset=11, rank=7, time_ms=NOW_MS, text="refused"),)),
        ),
        clock_ms=NOW_MS, appended_ms=NOW_MS, shaper="1", settings_hash="ab",
    ),
    Progress(
        partitions=(PartitionProgress(topic="t", partition=0, offset=20, clock_ms=NOW_MS,
                                      caught_up=True),),
        raw_partitions=6, sent_ms=NOW_MS,
    ),
    Finding(
        id="f1", condition_id="c1", service=SERVICE, kind=FindingKind.BURST,
        phase=FindingPhase.OPENED, sequence=0, fingerprint="fp", opened_ms=NOW_MS, slot_ms=NOW_MS,
        last_ms=NOW_MS, count=4, observed=4.0, expected=0.5, unit="events", score=0.75,
        statement="a burst", shapes=(SHAPE,), ties=("host:node-1",), sources=(RANGE,),
    ),
    Incident(
        id="i1", revision=2, status=IncidentStatus.OPEN, service=SERVICE, services=(SERVICE,),
        fingerprint="fp", title="checkout: a burst", opened_ms=NOW_MS, updated_ms=NOW_MS, count=4,
        kinds=(FindingKind.BURST,), analysis=ANALYSIS,
        timeline=(TimelineEntry(at_ms=NOW_MS, what="opened"),),
    ),
    Classification(
        incident_id="i1", revision=2, category=Category.NETWORK, subcategory="connectivity",
        severity=Severity.HIGH, priority=Priority.P2, confidence=0.8, summary="refused",
        judge=JUDGE, evidence=(SHAPE,),
        incident=IncidentBrief(service=SERVICE, services=(SERVICE,), title="t",
                               status=IncidentStatus.OPEN, opened_ms=NOW_MS, count=4,
                               analysis=ANALYSIS),
    ),
    RemediationPlan(
        incident_id="i1", revision=2, service=SERVICE, title="t", category=Category.NETWORK,
        severity=Severity.HIGH, estimated_time=timedelta(minutes=30), risks=("none",),
        success_criteria=("no errors",), rollback_plan="undo", judge=JUDGE,
        steps=(
            RemediationStep(description="look", verification="seen", rollback="none",
                            risk=Risk.LOW, requires_approval=False,
                            command=Command(text="ss -ltn", verdict=CommandVerdict.SAFE),
                            source=Citation(runbook="r", section="steps")),
        ),
    ),
    Investigation(
        incident_id="i1", revision=2, service=SERVICE, title="t", conclusion="refused since noon",
        probable_cause="the port is closed", confidence=0.5, basis=(1,), judge=JUDGE,
        ended=InvestigationEnd.CONCLUDED, at_ms=NOW_MS,
        steps=(
            InvestigationStep(number=1, tool="compare_periods", arguments={"minutes": 60},
                              observation="one rose", rows=("refused by <*>",),
                              evidence=(EvidenceRef(kind="template", id="s1"),)),
        ),
    ),
    ServiceInfo(service=SERVICE, owner="payments", platform=Platform.KUBERNETES),
    Feedback(incident_id="i1", revision=2, person="ana", given_ms=NOW_MS, model="m",
             category_correct=False, corrected_category=Category.DATABASE),
    DriftScore(model="m", score=0.3, samples=60, error_rate=0.2, error_rate_low=0.1,
               error_rate_high=0.3, category_shift=0.1, abstention_rate=0.0, at_ms=NOW_MS,
               errors_by_category={Category.NETWORK: 0.5}),
    RetrainingRequest(id="r1", model="m", reason="drift", drift=0.3, feedback_count=60,
                      scheduled_ms=NOW_MS),
    RetrainingResult(model="m", triggered=True, reason="drift", feedback_count=60,
                     state=TrainingState.RUNNING, progress=0.5, figures={"f1": 0.8}),
    ModelRelease(role=ModelRole.CHAMPION, backend="tgi", model="m", released_ms=NOW_MS),
    BaselineArtefact(name="triage-1", digest="0" * 64, arrays=b"\xff\x00", description="{}",
                     made_ms=NOW_MS),
    LedgerEntry(stage="ingest", chain=RANGE, ingest=IngestTotals(received=10, digested=10)),
]  # fmt: skip
each_record = pytest.mark.parametrize("record", SAMPLES, ids=lambda record: record.TYPE)


def names_in(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for one in value.values() for name in names_in(one)}
    if isinstance(value, list):
        return {name for one in value for name in names_in(one)}
    return set()


def test_every_record_type_has_a_sample():
    assert sorted(record.TYPE for record in SAMPLES) == [kind.TYPE for kind in record_types()]


@each_record
def test_it_reads_back_what_it_wrote_and_writes_the_same_bytes(record: Record):
    value = record.to_bytes()
    again = type(record).from_bytes(value)
    assert again == record
    assert again.to_bytes() == value


@each_record
def test_the_wire_is_camel_case_and_says_type_and_version(record: Record):
    document = json.loads(record.to_bytes())
    assert document["type"] == record.TYPE
    assert document["schemaVersion"] == "1.0"
    vocabulary = {category.value for category in Category}
    assert not [n for n in names_in(document) if n not in vocabulary and "_" in n]
    assert None not in document.values()


@each_record
def test_it_cannot_be_changed(record: Record):
    with pytest.raises(ValidationError, match="frozen"):
        record.schema_version = "1.1"


@each_record
def test_what_a_newer_minor_version_adds_is_ignored(record: Record):
    document = json.loads(record.to_bytes())
    newer = {**document, "schemaVersion": "1.9", "somethingNew": {"deep": [1]}}
    read = type(record).from_bytes(json.dumps(newer).encode())
    assert read == record.model_copy(update={"schema_version": "1.9"})


@each_record
@pytest.mark.parametrize("version", ["2.0", "0.9", "one", ""])
def test_another_major_version_is_refused(record: Record, version: str):
    document = {**json.loads(record.to_bytes()), "schemaVersion": version}
    with pytest.raises(ValidationError, match="schemaVersion"):
        type(record).from_bytes(json.dumps(document).encode())


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-1", "1.5"])
def test_a_share_is_a_number_from_zero_to_one(number: str):
    value = SAMPLES[4].to_bytes().replace(b'"confidence":0.8', f'"confidence":{number}'.encode())
    with pytest.raises(ValidationError, match="confidence"):
        Classification.from_bytes(value)


def test_durations_are_iso_8601():
    plan = next(record for record in SAMPLES if isinstance(record, RemediationPlan))
    assert json.loads(plan.to_bytes())["estimatedTime"] == "PT30M"


def test_the_names_that_the_requirements_give_stand_on_the_wire():
    plan = next(record for record in SAMPLES if isinstance(record, RemediationPlan))
    wanted = {"steps", "estimatedTime", "risks", "successCriteria", "rollbackPlan"}
    assert wanted <= set(json.loads(plan.to_bytes()))
    verdict = next(record for record in SAMPLES if isinstance(record, Classification))
    wanted = {"category", "subcategory", "severity", "priority", "confidence"}
    assert wanted <= set(json.loads(verdict.to_bytes()))
    wanted = {"summary", "anomalies", "patterns", "severity", "suggestedActions"}
    assert wanted <= set(json.loads(ANALYSIS.to_bytes()))


def test_ids_come_from_content_and_stay():
    assert content_id("incident", SERVICE, 42) == content_id("incident", SERVICE, 42)
    assert content_id("incident", SERVICE, 42) == "55bf0a56e0ce224d"
    assert content_id("ab", "c") != content_id("a", "bc")
    assert content_id("1") == content_id(1)


def test_the_ledger_s_key_parts_stages_partitions_and_services():
    chain = RANGE.model_copy(update={"partition": 4})
    entries = [
        LedgerEntry(stage="ingest", chain=RANGE),
        LedgerEntry(stage="ingest", chain=chain),
        LedgerEntry(stage="analyze", chain=RANGE, service=SERVICE, windows=WindowTotals()),
        LedgerEntry(stage="analyze", chain=RANGE, service="a/b/c", windows=WindowTotals()),
    ]
    assert len({entry.key for entry in entries}) == 4
    moved = RANGE.model_copy(update={"to_offset": 99})
    assert LedgerEntry(stage="ingest", chain=moved).key == entries[0].key


@pytest.mark.parametrize(
    ("identity", "whole"),
    [
        ("checkout", "default/default/checkout"),
        ("shop/checkout", "default/shop/checkout"),
        ("prod/shop/checkout", "prod/shop/checkout"),
        ("prod/shop/checkout/v2", "prod/shop/checkout-v2"),
    ],
)
def test_a_service_has_three_parts(identity: str, whole: str):
    assert str(ServiceName.parse(identity)) == whole


def test_severities_can_be_compared():
    assert [s.rank for s in Severity] == [3, 2, 1, 0]
