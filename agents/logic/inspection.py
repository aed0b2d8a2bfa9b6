"""Judges a bag of lines that nothing is known of: is it an incident, and of what kind.

Comes in: lines of one service, in any number, whatever their times. Goes out: Inspection. Promise:
pure; no memory between bags, so the lines alone decide; one line is judged by its wording, several
by what their shapes say together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from agents.logic.judging.classifier import Classifier
from agents.logic.judging.verdict import Evidence, Verdict, judge
from agents.logic.windows.grading import ROUTINE_DOUBT, ROUTINE_LEVELS, Grade, Grader
from schemas.digest import ShapeCount
from schemas.vocabulary import Level, Severity
from streams.ingest.batch import RawBatch, ReducerOptions
from streams.ingest.reduce import Reducer

INCIDENT_EVIDENCE = 0.8
"""Log-odds, added up over shapes, from which on a bag is an incident."""
COUNTED_LINES = 16
"""Repetitions of a shape that add to its evidence, by their logarithm."""
SINGLE_LINE_PROBLEM = 0.5


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a bag of lines is; `evidence` is the log-odds of its suspicious shapes, added up."""

    is_incident: bool
    evidence: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Piece:
    """One shape of the bag."""

    text: str
    level: Level | None
    count: int
    grade: Grade

    @property
    def evidence(self) -> float:
        """Return its log-odds of being part of an incident, 0 where it speaks for none."""
        repeated = self.grade.problem * math.log(min(self.count, COUNTED_LINES))
        alone = ROUTINE_DOUBT if self.count == 1 and self.level in ROUTINE_LEVELS else 0.0
        return max(0.0, self.grade.odds + repeated - alone)


class Inspector:
    """Judges bags with one classifier."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._grader = Grader(classifier)
        self._reducer = Reducer(ReducerOptions())

    def inspect(self, service: str, lines: Sequence[str]) -> Inspection:
        """Judge the lines; raises ValueError when none of them holds anything."""
        pieces = self._pieces(service, lines) or self._fragments(service, lines)
        if not pieces:
            raise ValueError("no line holds anything to judge")
        if sum(piece.count for piece in pieces) == 1:
            return self._one(service, pieces[0])
        evidence = sum(piece.evidence for piece in pieces)
        is_incident = evidence >= INCIDENT_EVIDENCE
        telling = [piece for piece in pieces if piece.evidence > 0] if is_incident else pieces
        return Inspection(is_incident, round(evidence, 4), self._verdict(service, telling))

    def _one(self, service: str, piece: Piece) -> Inspection:
        """Judge one line: an incident if it tells of a problem that is more than minor."""
        verdict = self._verdict(service, [piece])
        told = piece.grade.problem >= SINGLE_LINE_PROBLEM and verdict.severity is not Severity.LOW
        return Inspection(told, round(piece.evidence, 4), verdict)

    def _verdict(self, service: str, pieces: Sequence[Piece]) -> Verdict:
        evidence = [Evidence(piece.text, piece.level, piece.count) for piece in pieces]
        return judge(service, evidence, self._classifier)

    def _pieces(self, service: str, lines: Sequence[str]) -> list[Piece]:
        """Reduce the lines to shapes, as ingest would, and grade each by one of its lines."""
        counts: dict[tuple[str, Level | None], int] = {}
        shapes: dict[tuple[str, Level | None], ShapeCount] = {}
        kept = [line for line in lines if line.strip()]
        for digest in self._reducer.reduce(_batch(kept)).digests:
            for shape in digest.shapes:
                key = shape.shape_id, shape.level
                counts[key] = counts.get(key, 0) + shape.count
                if key not in shapes or _rank(shape) < _rank(shapes[key]):
                    shapes[key] = shape
        return [
            self._piece(service, shapes[key], counts[key], kept)
            for key in sorted(shapes, key=lambda key: (-counts[key], key[0], key[1] or ""))
        ]

    def _fragments(self, service: str, lines: Sequence[str]) -> list[Piece]:
        """Grade lines that belong to a head that is missing: the inside of a trace, say."""
        return [
            Piece(line, None, 1, self._grader(line, None, None, service))
            for line in sorted({line for line in lines if line.strip()})
        ]

    def _piece(self, service: str, shape: ShapeCount, count: int, lines: Sequence[str]) -> Piece:
        text = shape.examples[0].text if shape.examples else shape.shape
        if len(lines) == 1:
            text = lines[0]
        grade = self._grader(text, shape.level, shape.status_class, service)
        return Piece(text, shape.level, count, grade)


def _rank(shape: ShapeCount) -> int:
    return shape.examples[0].rank if shape.examples else 1 << 64


def _batch(lines: Sequence[str]) -> RawBatch:
    offsets = list(range(len(lines)))
    return RawBatch(
        topic="bag",
        partition=0,
        from_offset=0,
        to_offset=len(lines),
        offsets=offsets,
        append_ms=[0] * len(lines),
        keys=[None] * len(lines),
        values=[line.encode("utf-8", "replace") for line in lines],
    )
