"""The analysis of an incident without a model: what stands out, how bad, what to look at.

Comes in: the conditions of an incident. Goes out: LogAnalysis. Promise: a pure function of them;
severity comes from evidence (wording, level, kind, extent), never from a category.
"""

from collections.abc import Iterable, Sequence

from agents.logic.incidents.episodes import Condition
from schemas.finding import Finding, ShapeEvidence
from schemas.incident import Anomaly, LogAnalysis, Pattern
from schemas.vocabulary import FindingKind, Level, Severity

MAX_ANOMALIES = 10
MAX_PATTERNS = 10
MAX_EVIDENCE = 12

_ACTIONS = {
    FindingKind.NEW_TEMPLATE: "Compare with what changed in {service} shortly before {when}.",
    FindingKind.RARE_SEVERE: "Read the first occurrence in {service}: it names the failing part.",
    FindingKind.BURST: "Find what drives the rise in {service}: one caller, one host, or all.",
    FindingKind.ERROR_RATIO: "Check the latest release and the dependencies of {service}.",
    FindingKind.LATENCY: "Check load, pools and dependencies of {service}.",
    FindingKind.DROP: "Check whether {service} still receives its traffic.",
    FindingKind.SILENCE: "Check whether {service} and its log shipper are running.",
    FindingKind.REPORTED: "Gather the lines of {service} around the time of the report.",
}


def analyse(conditions: Sequence[Condition], services: Sequence[str], when: str) -> LogAnalysis:
    """Build the analysis; `when` is the opening time as people read it."""
    ranked = sorted((c.latest for c in conditions), key=lambda f: (-f.score, f.condition_id))
    shapes = _evidence(ranked)
    return LogAnalysis(
        summary=_summary(ranked, services, when),
        anomalies=tuple(_anomaly(f) for f in ranked[:MAX_ANOMALIES]),
        patterns=tuple(
            Pattern(template=shape.shape, count=shape.count, service=service)
            for service, shape in shapes[:MAX_PATTERNS]
        ),
        severity=severity_of(ranked),
        suggested_actions=_actions(ranked, when),
        evidence=tuple(shape for _service, shape in shapes[:MAX_EVIDENCE]),
    )


def severity_of(findings: Iterable[Finding]) -> Severity:
    """Judge by the worst evidence: its level, how much it reads like a problem, and its extent."""
    worst = 0
    for finding in findings:
        levels = {shape.level for shape in finding.shapes}
        problem = max((shape.problem for shape in finding.shapes), default=0.0)
        rank = 1
        if finding.kind in (FindingKind.SILENCE, FindingKind.ERROR_RATIO):
            rank = 2
        if Level.ERROR in levels and (problem >= 0.5 or finding.count >= 10):
            rank = max(rank, 2 if finding.count >= 10 or finding.score >= 0.8 else 1)
        if Level.FATAL in levels:
            rank = max(rank, 3 if problem >= 0.5 else 2)
        worst = max(worst, rank)
    return Severity(list(Severity)[3 - worst])


def _anomaly(finding: Finding) -> Anomaly:
    return Anomaly(
        kind=finding.kind,
        service=finding.service,
        statement=finding.statement,
        observed=finding.observed,
        expected=finding.expected,
        unit=finding.unit,
        count=finding.count,
        since_ms=finding.opened_ms,
    )


def _evidence(ranked: Iterable[Finding]) -> list[tuple[str, ShapeEvidence]]:
    """Return each shape once, with its largest count and its kinds of finding: problems first."""
    best: dict[tuple[str, str], ShapeEvidence] = {}
    kinds: dict[tuple[str, str], set[FindingKind]] = {}
    for finding in ranked:
        for shape in finding.shapes:
            key = finding.service, shape.shape_id
            kinds.setdefault(key, set()).add(finding.kind)
            if key not in best or shape.count > best[key].count:
                best[key] = shape
    items = [
        (key[0], shape.model_copy(update={"kinds": tuple(sorted(kinds[key]))}))
        for key, shape in best.items()
    ]
    return sorted(items, key=lambda i: (-round(i[1].problem, 1), -i[1].count, i[0], i[1].shape_id))


def _summary(ranked: Sequence[Finding], services: Sequence[str], when: str) -> str:
    names = ", ".join(name.rsplit("/", 1)[-1] for name in services[:3])
    more = f" and {len(services) - 3} more" if len(services) > 3 else ""
    lead = ranked[0].statement.rstrip(".")
    others = len(ranked) - 1
    tail = f" ({others} further condition{'s' if others > 1 else ''})" if others else ""
    return f"Since {when}, {names}{more}: {lead}{tail}."[:512]


def _actions(ranked: Iterable[Finding], when: str) -> tuple[str, ...]:
    seen = []
    for finding in ranked:
        service = finding.service.rsplit("/", 1)[-1]
        action = _ACTIONS[finding.kind].format(service=service, when=when)
        if action not in seen:
            seen.append(action)
    return tuple(seen[:5])
