"""How results look: complete, and never read as markup or control codes."""

import io
from datetime import timedelta

from rich.console import Console

from agents.logic.accounting import balance
from opspilot.render import duration, headline, render_incidents, render_ledger, short_name
from opspilot.results import Results
from schemas.classification import Classification, IncidentBrief, Judge
from schemas.digest import RawRange
from schemas.finding import ShapeEvidence
from schemas.incident import Anomaly, Incident, LogAnalysis
from schemas.ledger import IngestTotals, LedgerEntry, WindowTotals
from schemas.remediation import (
    Command,
    CommandVerdict,
    RemediationPlan,
    RemediationStep,
    Risk,
)
from schemas.vocabulary import Category, FindingKind, IncidentStatus, Priority, Severity

SERVICE = "default/default/checkout"
EVIL = "[bold red]pool[/] dry \x1b[2J {x}"
JUDGE = Judge(backend="baseline", model="m")


def incident(revision: int = 1, status: IncidentStatus = IncidentStatus.OPEN) -> Incident:
    anomaly = Anomaly(
        kind=FindingKind.BURST, service=SERVICE, statement="40 lines, 2 expected", observed=40,
        expected=2, unit="lines", count=40, since_ms=0,
    )  # fmt: skip
    shape = ShapeEvidence(shape_id="s", shape="pool dry", count=40, examples=(EVIL,))
    analysis = LogAnalysis(
        summary="s", anomalies=(anomaly,), severity=Severity.HIGH, evidence=(shape,)
    )
    return Incident(
        id="i1", revision=revision, status=status, service=SERVICE, services=(SERVICE,),
        fingerprint="f", title=f"checkout: {EVIL}", opened_ms=0, updated_ms=60_000, count=40,
        analysis=analysis,
    )  # fmt: skip


def verdict(revision: int = 1) -> Classification:
    found = incident()
    brief = IncidentBrief(
        service=SERVICE, services=(SERVICE,), title=found.title, status=found.status, opened_ms=0,
        count=40, analysis=found.analysis,
    )  # fmt: skip
    return Classification(
        incident_id="i1", revision=revision, category=Category.DATABASE, subcategory="pool",
        severity=Severity.HIGH, priority=Priority.P2, confidence=0.876, summary="The pool is dry.",
        judge=JUDGE, incident=brief,
    )  # fmt: skip


def plan() -> RemediationPlan:
    command = Command(text="rm -rf /", verdict=CommandVerdict.BLOCKED, reason="destroys data")
    step = RemediationStep(
        description="Give connections back", command=command, verification="waiting is 0",
        rollback="nothing to undo", risk=Risk.HIGH, requires_approval=True,
    )  # fmt: skip
    return RemediationPlan(
        incident_id="i1", revision=1, service=SERVICE, title="Free the pool",
        category=Category.DATABASE, severity=Severity.HIGH, steps=(step,),
        estimated_time=timedelta(minutes=30), risks=("a restart drops requests",),
        success_criteria=("no request waits",), rollback_plan="restart the old release",
        judge=JUDGE,
    )  # fmt: skip


def printed(results: Results) -> str:
    stream = io.StringIO()
    render_incidents(Console(file=stream, width=100), results)
    return stream.getvalue()


def test_an_incident_says_all_that_a_person_asks() -> None:
    results = Results()
    for record in (incident(), verdict(), plan()):
        results.learn(record)
    said = printed(results)
    for word in (
        "1970-01-01 00:00:00 UTC", "checkout", "high", "P2", "Database", "88% sure",
        "40 lines, 2 expected", "Free the pool (about 30 min)", "rm -rf /",
        "blocked: destroys data", "[needs approval]", "check: waiting is 0",
        "undo: nothing to undo", "done when: no request waits",
        "if it goes wrong: restart the old release",
    ):  # fmt: skip
        assert word in said, word


def test_log_text_is_neither_markup_nor_control_codes() -> None:
    results = Results()
    results.learn(incident())
    said = printed(results)
    assert "[bold red]pool[/] dry" in said
    assert "\x1b" not in said


def test_no_incident_is_said() -> None:
    assert "No incident" in printed(Results())


def test_a_verdict_on_an_older_revision_is_not_enough() -> None:
    results = Results()
    results.learn(incident(revision=2))
    results.learn(verdict(revision=1))
    assert results.unjudged == ["i1"]
    results.learn(verdict(revision=2))
    assert results.unjudged == []
    assert results.unplanned == ["i1"]


def test_a_merged_incident_needs_no_verdict() -> None:
    results = Results()
    results.learn(incident(status=IncidentStatus.MERGED))
    assert results.standing == []
    assert results.unjudged == []


def test_every_record_has_a_headline() -> None:
    assert "revision 1, 40 events" in headline(incident()).plain
    assert "high  P2, Database / pool, 88% sure" in headline(verdict()).plain
    assert "1 steps, about 30 min" in headline(plan()).plain


def test_the_ledger_says_what_is_wrong_and_what_was_flagged() -> None:
    chain = RawRange(topic="raw", partition=0, from_offset=0, to_offset=10)
    totals = IngestTotals(received=10, digested=10, unstamped=4, future=2)
    entries = [
        LedgerEntry(stage="ingest", chain=chain, ingest=totals),
        LedgerEntry(stage="analyze", service="a", chain=chain, windows=WindowTotals(counted=9)),
    ]
    stream = io.StringIO()
    render_ledger(Console(file=stream, width=120), balance(entries, {("raw", 0): 10}))
    said = stream.getvalue()
    assert "raw/0: 1 records were digested but not yet windowed" in said
    assert "4 lines had no time of their own" in said
    assert "2 lines were stamped in the future" in said
    assert "balanced" not in said


def test_lengths_and_names_are_short() -> None:
    assert duration(timedelta(seconds=40)) == "40 s"
    assert duration(timedelta(minutes=125)) == "2 h 5 min"
    assert short_name("default/default/a") == "a"
    assert short_name("prod/default/a") == "prod/default/a"
