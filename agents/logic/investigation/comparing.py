"""What a service's lines show of an incident: what changed, what occurred when, what fits words.

Comes in: Activity and periods. Goes out: Observations. Promise: pure; equal evidence is ordered by
shape; a change is called one only where chance would rarely make it.
Method: log-likelihood ratio of two Poisson rates (Dunning, 1993), signed by its direction.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agents.logic.investigation.activity import Activity, ShapeFacts
from agents.logic.investigation.observing import MAX_ROWS, Observation
from agents.logic.plans.retrieval import tokens
from agents.logic.prompting.quarantine import Plain
from schemas.finding import Finding
from schemas.investigation import EvidenceRef
from schemas.vocabulary import Level

SURE_CHANGE = 10.83
"""The ratio that two equal rates exceed once in a thousand (chi square, one degree)."""
MAX_BUCKETS = 10
MINUTE_MS = 60_000
_LEVEL_WEIGHT = {Level.FATAL: 3.0, Level.ERROR: 2.0, Level.WARN: 1.5}


@dataclass(frozen=True, slots=True)
class Period:
    """From when to when, in milliseconds."""

    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class Change:
    """One shape whose rate differs between two periods."""

    shape_id: str
    facts: ShapeFacts
    now: int
    before: int
    now_per_minute: float
    before_per_minute: float
    ratio: float
    """Signed log-likelihood ratio; above zero where it occurs more often now."""

    @property
    def weight(self) -> float:
        """Return how much it tells: a rise more than a fall, an error more than other lines."""
        weight = abs(self.ratio) * _LEVEL_WEIGHT.get(self.facts.level or Level.INFO, 1.0)
        return weight if self.ratio > 0 else weight / 2

    @property
    def words(self) -> str:
        """Say the change."""
        if not self.before:
            return "new"
        if not self.now:
            return "gone"
        times = self.now_per_minute / max(self.before_per_minute, 1e-9)
        return f"rose {times:.1f} times" if times >= 1 else f"fell to {times:.2f}"


def changes(activity: Activity, now: Period, before: Period) -> list[Change]:
    """Return what changed surely, the most telling first; nothing without a time before."""
    now_seconds = max(1.0, (now.to_ms - now.from_ms) / 1000)
    before_seconds = activity.seconds(before.from_ms, before.to_ms)
    if before_seconds <= 0:
        return []
    counts, counts_before = (activity.counts(p.from_ms, p.to_ms) for p in (now, before))
    found = []
    for shape_id in counts | counts_before:
        one, other = counts[shape_id], counts_before[shape_id]
        ratio = rate_ratio(one, now_seconds, other, before_seconds)
        if abs(ratio) < SURE_CHANGE:
            continue
        per_minute = one * 60 / now_seconds, other * 60 / before_seconds
        facts = activity.shapes[shape_id]
        found.append(Change(shape_id, facts, one, other, *per_minute, ratio))
    return sorted(found, key=lambda change: (-change.weight, change.shape_id))


def rate_ratio(count: int, seconds: float, other: int, other_seconds: float) -> float:
    """Return the signed log-likelihood ratio of two counts over two times."""
    total, share = count + other, seconds / (seconds + other_seconds)
    expected, expected_other = total * share, total * (1 - share)
    ratio = 0.0
    for seen, wanted in ((count, expected), (other, expected_other)):
        if seen:
            ratio += 2 * seen * math.log(seen / wanted)
    return ratio if count >= expected else -ratio


def compare(activity: Activity, now: Period, before: Period) -> Observation:
    """Show what changed between the time before and the incident."""
    found = changes(activity, now, before)
    minutes = activity.seconds(before.from_ms, before.to_ms) / 60
    if minutes <= 0:
        return Observation("No lines of the time before the incident are kept for this service.")
    rises = [change for change in found if change.ratio > 0]
    new = sum(not change.before for change in rises)
    summary = (
        f"Against the {minutes:.0f} minutes before: {len(rises)} templates rose, {new} of them "
        f"new, {len(found) - len(rises)} fell or are gone."
    )
    lead = rises[0] if rises else found[0] if found else None
    return Observation(
        summary=summary if found else f"Against the {minutes:.0f} minutes before: no sure change.",
        rows=tuple(_change_row(change) for change in found[:MAX_ROWS]),
        evidence=_refs((change.shape_id, change.facts) for change in found[:MAX_ROWS]),
        lead=lead.facts.shape if lead else "",
        strength=1.0 if rises else 0.4 if found else 0.0,
    )


def search_templates(activity: Activity, words: str, period: Period) -> Observation:
    """Show the templates that hold words; without words the worst by level, then the rarest."""
    counts = activity.counts(period.from_ms, period.to_ms)
    wanted = frozenset(tokens(words))
    ranked: list[tuple[float, int, str]] = []
    for shape_id, count in counts.items():
        facts = activity.shapes[shape_id]
        level = _LEVEL_WEIGHT.get(facts.level or Level.INFO, 0.0)
        if wanted:
            shared = len(wanted & frozenset(tokens(facts.shape))) / len(wanted)
            if shared > 0:
                ranked.append((-(shared + level / 10), count, shape_id))
        elif level:
            ranked.append((-level, count, shape_id))
    ranked.sort()
    what = "hold these words" if wanted else "are warnings or worse"
    kept = [(shape_id, activity.shapes[shape_id]) for _, _, shape_id in ranked[:MAX_ROWS]]
    rows = tuple(_shape_row(facts, counts[shape_id], period) for shape_id, facts in kept)
    # The one that came first, not the most frequent: the first word names the cause.
    lead = min((facts for _, facts in kept), key=lambda f: (f.first_ms, f.shape), default=None)
    return Observation(
        summary=f"{len(ranked)} of {len(counts)} templates in this time {what}.",
        rows=rows,
        evidence=_refs(kept),
        lead=lead.shape if lead else "",
        strength=0.5 if kept else 0.0,
    )


def windows(activity: Activity, period: Period, findings: Sequence[Finding]) -> Observation:
    """Show lines and errors over time, and the findings of the service in that time."""
    length_ms = max(MINUTE_MS, -(-(period.to_ms - period.from_ms) // MAX_BUCKETS))
    rows: list[dict[str, Plain]] = []
    for begin in range(period.from_ms, period.to_ms, length_ms):
        counts = activity.counts(begin, min(begin + length_ms, period.to_ms))
        errors = sum(
            count
            for shape_id, count in counts.items()
            if activity.shapes[shape_id].level in (Level.ERROR, Level.FATAL)
        )
        row: dict[str, Plain] = {
            "minute": round((begin - period.from_ms) / MINUTE_MS),
            "lines": counts.total(),
            "errors": errors,
        }
        rows.append(row)
    said = [f for f in findings if period.from_ms <= f.slot_ms < period.to_ms]
    said.sort(key=lambda finding: (finding.slot_ms, finding.id))
    latest = {finding.condition_id: finding for finding in said}
    told = sorted(latest.values(), key=lambda finding: (-finding.score, finding.id))[:5]
    lines, errors = (
        sum(int(str(r["lines"])) for r in rows),
        sum(int(str(r["errors"])) for r in rows),
    )
    summary = (
        f"{lines} lines, {errors} of them errors, in windows of {length_ms / MINUTE_MS:.0f} "
        f"minutes; {len(latest)} conditions were found."
    )
    statements: list[dict[str, Plain]] = [{"finding": finding.statement} for finding in told]
    return Observation(
        summary=summary,
        rows=(*statements, *rows)[: MAX_ROWS + 5],
        evidence=tuple(EvidenceRef(kind="finding", id=f.id, what=f.kind.value) for f in told),
        lead=told[0].statement if told else "",
        strength=0.5 if told else 0.0,
    )


def _change_row(change: Change) -> dict[str, Plain]:
    return {
        "template": change.facts.shape,
        "level": change.facts.level.value if change.facts.level else "",
        "change": change.words,
        "per_minute": round(change.now_per_minute, 2),
        "before": round(change.before_per_minute, 2),
        "example": change.facts.examples[0] if change.facts.examples else "",
    }


def _shape_row(facts: ShapeFacts, count: int, period: Period) -> dict[str, Plain]:
    return {
        "template": facts.shape,
        "level": facts.level.value if facts.level else "",
        "count": count,
        "first_after_minutes": round((facts.first_ms - period.from_ms) / MINUTE_MS, 1),
        "example": facts.examples[0] if facts.examples else "",
    }


def _refs(shapes: Iterable[tuple[str, ShapeFacts]]) -> tuple[EvidenceRef, ...]:
    return tuple(
        EvidenceRef(kind="template", id=shape_id, what=facts.shape[:200])
        for shape_id, facts in shapes
    )
