"""Turns what a person says into a finding, so that it becomes an incident like any other.

Comes in: a service, a description, perhaps lines. Goes out: a Finding of kind `reported`.
Promise: pure; what leaves is redacted; the same words in the same ten seconds are one report.
"""

from collections.abc import Sequence

from schemas.digest import SLOT_MS
from schemas.finding import Finding, ShapeEvidence
from schemas.ids import content_id
from schemas.vocabulary import FindingKind, FindingPhase
from streams.ingest.redact import Redactor
from streams.shape.shaper import Shaper

MAX_SHAPES = 16
MAX_EXAMPLES = 3
EXAMPLE_CHARS = 4_000
DESCRIPTION_CHARS = 4_000
STATEMENT_CHARS = 500
REPORT_SCORE = 1.0


def make_report(
    service: str,
    description: str,
    lines: Sequence[str],
    now_ms: int,
    redactor: Redactor,
    person: str | None = None,
) -> Finding:
    """Build the finding; `service` is `environment/namespace/service`."""
    words = " ".join(redactor.redact(description).split())[:DESCRIPTION_CHARS]
    slot_ms = now_ms - now_ms % SLOT_MS
    condition_id = content_id("reported", service, words, slot_ms)
    shapes = _shapes(lines, redactor)
    return Finding(
        id=content_id(condition_id, 0),
        condition_id=condition_id,
        service=service,
        kind=FindingKind.REPORTED,
        phase=FindingPhase.OPENED,
        sequence=0,
        fingerprint=content_id(service, FindingKind.REPORTED, condition_id),
        opened_ms=slot_ms,
        slot_ms=slot_ms,
        last_ms=now_ms,
        count=max(1, len(lines)),
        observed=1.0,
        expected=0.0,
        unit="reports",
        score=REPORT_SCORE,
        statement=words[:STATEMENT_CHARS],
        shapes=shapes,
        reported_by=person,
        description=words,
        appended_ms=now_ms,
    )


def incident_id(finding: Finding) -> str:
    """Return the id of the incident that the finding opens."""
    return content_id("incident", finding.service, finding.condition_id)


def _shapes(lines: Sequence[str], redactor: Redactor) -> tuple[ShapeEvidence, ...]:
    """Reduce lines to shapes with counts and examples, the most frequent first."""
    shaper = Shaper()
    found: dict[str, ShapeEvidence] = {}
    for line in lines:
        info = shaper.line(line.encode())
        known = found.get(info.shape_id)
        examples = known.examples if known else ()
        if len(examples) < MAX_EXAMPLES:
            examples = (*examples, redactor.redact(line)[:EXAMPLE_CHARS])
        found[info.shape_id] = ShapeEvidence(
            shape_id=info.shape_id,
            shape=redactor.redact(info.text)[:512],
            level=info.level,
            count=(known.count if known else 0) + 1,
            # A person says that these lines report a problem.
            problem=1.0,
            examples=examples,
        )
    ranked = sorted(found.values(), key=lambda shape: (-shape.count, shape.shape_id))
    return tuple(ranked[:MAX_SHAPES])
