"""Incidents made of lines, as the pipeline would make them.

Comes in: a service and its lines. Goes out: an Incident. Promise: pure; the lines go through
ingest's reduction and redaction, the windows and correlate; where these open no incident, as on the
first sight of a minor line, it is made of the reduced lines alone, as a report of them would be.
"""

from collections.abc import Sequence

from agents.logic.pipeline import Line, raw_batch, run_lines
from agents.logic.windows.grading import Grader
from schemas.digest import ShapeCount
from schemas.finding import ShapeEvidence
from schemas.ids import content_id
from schemas.incident import Incident, LogAnalysis, Pattern
from schemas.vocabulary import FindingKind, IncidentStatus, Severity
from streams.ingest.batch import ReducerOptions
from streams.ingest.reduce import Reducer

OPENED_MS = 1_772_323_200_000
"""2026-03-01T00:00:00Z: examples are no younger than that, whenever they are made."""
_APART_MS = 1_500
_MOST_EXAMPLES = 3
_MOST_SHAPES = 12


def incident_of(service: str, lines: Sequence[str], grader: Grader) -> Incident:
    """Return the incident that the lines are; raises ValueError where none holds anything."""
    spoken = [line for line in lines if line.strip()]
    if not spoken:
        raise ValueError("no line holds anything")
    timed = [Line(service, text, OPENED_MS + n * _APART_MS) for n, text in enumerate(spoken)]
    found = [one for one in run_lines(timed, grader).incidents.values() if one.analysis.evidence]
    return found[0] if len(found) == 1 else _reported(service, timed, grader)


def _reported(service: str, lines: Sequence[Line], grader: Grader) -> Incident:
    found: dict[str, ShapeCount] = {}
    for digest in Reducer(ReducerOptions()).reduce(raw_batch(lines, 0)).digests:
        for shape in digest.shapes:
            found.setdefault(f"{shape.shape_id}{shape.level}", shape)
    evidence = [_evidence(service, shape, grader) for shape in found.values()]
    if not evidence:
        raise ValueError("the lines have no shape of their own: the inside of a trace, perhaps")
    evidence.sort(key=lambda shape: (-shape.problem, -shape.count, shape.shape_id))
    evidence = evidence[:_MOST_SHAPES]
    return Incident(
        id=content_id("lines", service, *(line.text for line in lines)),
        revision=1,
        status=IncidentStatus.OPEN,
        service=service,
        services=(service,),
        fingerprint=content_id("lines", service),
        title=f"{service}: {evidence[0].shape}"[:512],
        opened_ms=OPENED_MS,
        updated_ms=OPENED_MS,
        count=len(lines),
        kinds=(FindingKind.NEW_TEMPLATE,),
        analysis=LogAnalysis(
            summary=f"{len(lines)} lines of {service}."[:512],
            patterns=tuple(
                Pattern(template=shape.shape, count=shape.count, service=service)
                for shape in evidence
            ),
            severity=Severity.MEDIUM,
            evidence=tuple(evidence),
        ),
    )


def _evidence(service: str, shape: ShapeCount, grader: Grader) -> ShapeEvidence:
    examples = tuple(example.text for example in shape.examples[:_MOST_EXAMPLES])
    text = examples[0] if examples else shape.shape
    return ShapeEvidence(
        shape_id=shape.shape_id,
        shape=shape.shape[:512],
        level=shape.level,
        status_class=shape.status_class,
        count=shape.count,
        problem=grader(text, shape.level, shape.status_class, service).problem,
        examples=examples,
    )
