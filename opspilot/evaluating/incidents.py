"""An incident made of a bag of lines, for asking a model about lines that nothing else is known of.

Comes in: a service and lines. Goes out: an Incident with its evidence. Promise: the lines are
redacted and reduced as ingest does it; the same lines give the same incident.
"""

from collections.abc import Sequence

from agents.logic.judging.classifier import Classifier
from agents.logic.pipeline import Line, raw_batch
from agents.logic.windows.grading import Grader
from schemas.digest import ShapeCount
from schemas.finding import ShapeEvidence
from schemas.ids import content_id
from schemas.incident import Incident, LogAnalysis, Pattern
from schemas.vocabulary import FindingKind, IncidentStatus, Severity
from streams.ingest.batch import ReducerOptions
from streams.ingest.reduce import Reducer

OPENED_MS = 1_772_323_200_000
"""Any time does, since nothing is known of it: 2026-03-01T00:00:00Z."""
MOST_EXAMPLES = 3
MOST_SHAPES = 12


class IncidentMaker:
    """Makes incidents with one reducer."""

    def __init__(self, classifier: Classifier) -> None:
        self._grader = Grader(classifier)
        self._reducer = Reducer(ReducerOptions())

    def make(self, service: str, lines: Sequence[str]) -> Incident:
        """Return the incident that the lines are."""
        kept = [line for line in lines if line.strip()]
        batch = raw_batch([Line(service, line, OPENED_MS) for line in kept], 0)
        found: dict[str, ShapeCount] = {}
        for digest in self._reducer.reduce(batch).digests:
            for shape in digest.shapes:
                found.setdefault(f"{shape.shape_id}{shape.level}", shape)
        evidence = [self._evidence(service, shape) for shape in found.values()] or [
            # The inside of a trace without its head has no shape of its own.
            ShapeEvidence(shape_id=content_id("line", line), shape=line[:512], count=1)
            for line in kept
        ]
        evidence.sort(key=lambda shape: (-shape.problem, -shape.count, shape.shape_id))
        evidence = evidence[:MOST_SHAPES]
        analysis = LogAnalysis(
            summary=f"{len(kept)} lines of {service}.",
            patterns=tuple(
                Pattern(template=shape.shape, count=shape.count, service=service)
                for shape in evidence
            ),
            severity=Severity.MEDIUM,
            evidence=tuple(evidence),
        )
        return Incident(
            id=content_id("bag", service, *kept),
            revision=1,
            status=IncidentStatus.OPEN,
            service=service,
            services=(service,),
            fingerprint=content_id("bag", service),
            title=f"{service}: {evidence[0].shape}"[:512],
            opened_ms=OPENED_MS,
            updated_ms=OPENED_MS,
            count=len(kept),
            kinds=(FindingKind.NEW_TEMPLATE,),
            analysis=analysis,
        )

    def _evidence(self, service: str, shape: ShapeCount) -> ShapeEvidence:
        examples = tuple(example.text for example in shape.examples[:MOST_EXAMPLES])
        text = examples[0] if examples else shape.shape
        grade = self._grader(text, shape.level, shape.status_class, service)
        return ShapeEvidence(
            shape_id=shape.shape_id,
            shape=shape.shape[:512],
            level=shape.level,
            status_class=shape.status_class,
            count=shape.count,
            problem=grade.problem,
            examples=examples,
        )
