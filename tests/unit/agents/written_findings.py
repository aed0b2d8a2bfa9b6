"""Findings as analyze would write them, for the tests of what correlate makes of them."""

from agents.logic.incidents.correlation import IncidentRules, IncidentState, apply_finding
from agents.logic.incidents.episodes import EpisodeRules
from schemas.finding import Finding, ShapeEvidence
from schemas.ids import content_id
from schemas.incident import Incident
from schemas.vocabulary import FindingKind, FindingPhase, Level

START_MS = 1_800_000_000_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
RULES = IncidentRules(
    EpisodeRules(join_window_ms=MINUTE_MS, reopen_within_ms=HOUR_MS),
    max_revisions=6,
    max_timeline=50,
    max_live=1_000,
)
Record = dict[str, Incident]


def finding(
    service: str = "prod/shop/checkout",
    at_s: int = 0,
    *,
    opened_s: int | None = None,
    kind: FindingKind = FindingKind.BURST,
    phase: FindingPhase = FindingPhase.OPENED,
    sequence: int = 0,
    subject: str = "shape-1",
    count: int = 1,
    level: Level | None = Level.ERROR,
    problem: float = 0.5,
    score: float = 0.5,
    ties: tuple[str, ...] = (),
    reported_by: str | None = None,
) -> Finding:
    opened_ms = START_MS + 1_000 * (at_s if opened_s is None else opened_s)
    fingerprint = content_id(service, kind, subject)
    condition_id = content_id(fingerprint, opened_ms)
    shape = ShapeEvidence(
        shape_id=subject, shape=f"{subject} <*>", level=level, count=count, problem=problem,
        examples=(f"{subject} 1",),
    )  # fmt: skip
    return Finding(
        id=content_id(condition_id, phase, sequence),
        condition_id=condition_id,
        service=service,
        kind=kind,
        phase=phase,
        sequence=sequence,
        fingerprint=fingerprint,
        opened_ms=opened_ms,
        slot_ms=START_MS + 1_000 * at_s,
        last_ms=START_MS + 1_000 * at_s + 500,
        count=count,
        observed=float(count),
        expected=0.0,
        unit="events per 10 s",
        score=score,
        statement=f"{subject} came {count} times",
        shapes=(shape,),
        ties=ties,
        reported_by=reported_by,
        appended_ms=START_MS + 1_000 * at_s + 900,
    )


def later(
    first: Finding, at_s: int, phase: FindingPhase = FindingPhase.UPDATED, **changes: object
) -> Finding:
    """Return a later step of the condition that `first` is a step of."""
    update = {
        "sequence": first.sequence + 1,
        "phase": phase,
        "slot_ms": START_MS + 1_000 * at_s,
        **changes,
    }
    changed = first.model_copy(update=update)
    return changed.model_copy(
        update={"id": content_id(changed.condition_id, changed.phase, changed.sequence)}
    )


def cleared(first: Finding, at_s: int) -> Finding:
    return later(first, at_s, FindingPhase.CLEARED)


def correlate(
    findings: list[Finding],
    rules: IncidentRules = RULES,
    dependencies: dict[str, tuple[str, ...]] | None = None,
) -> tuple[IncidentState, Record, list[Incident]]:
    """Apply all; returns the state, the last record of each id, and every record in order."""
    state = IncidentState()
    written: list[Incident] = []
    for offset, one in enumerate(findings):
        state, changed = apply_finding(state, one, offset, rules, dependencies or {})
        written += changed
    return state, {incident.id: incident for incident in written}, written
