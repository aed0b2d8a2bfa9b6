"""Which evidence of an incident tells a model most, first things first.

Comes in: the analysis of an incident. Goes out: rows for the quarantined block, most telling first.
Promise: pure; the order of the evidence changes nothing; a template stands apart from its values;
each next item is worth what it adds to those before it, so ten wordings of one fact count once.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agents.logic.judging.words import words_of
from agents.logic.prompting.quarantine import Plain
from schemas.finding import ShapeEvidence
from schemas.incident import Anomaly, LogAnalysis
from schemas.vocabulary import FindingKind, Level

MAX_TEMPLATE = 240
MAX_VALUE = 60
MAX_VALUES = 6
MAX_STATEMENT = 160
_KIND_WORTH = {
    FindingKind.NEW_TEMPLATE: 1.0,
    FindingKind.RARE_SEVERE: 1.0,
    FindingKind.REPORTED: 1.0,
    FindingKind.SILENCE: 0.9,
    FindingKind.BURST: 0.8,
    FindingKind.LATENCY: 0.8,
    FindingKind.ERROR_RATIO: 0.6,
    FindingKind.DROP: 0.6,
}
"""What a finding of a kind tells by itself; new and bursting templates lead."""
_LEVEL_WORTH = {Level.FATAL: 0.6, Level.ERROR: 0.4, Level.WARN: 0.2}
_PROBLEM_WORTH = 1.5
_RARE_WORTH = 0.3
"""What a template seen once has before one seen very often: the first word names the cause."""
_SAME_PENALTY = 1.6
"""How much an item loses that repeats the words of one already chosen."""
_MATCHED = 80
"""Characters of a shape by which a statement is known to speak of it: statements are cut."""
_MASK = re.compile(r"<[A-Za-z*][A-Za-z0-9_*:-]*>")


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One template with what is known of it, or one condition that has no template."""

    key: str
    row: dict[str, Plain]
    worth: float
    words: frozenset[str]


def choose_evidence(analysis: LogAnalysis) -> tuple[EvidenceItem, ...]:
    """Return all items, the most telling first: the first n of them are the best n to show."""
    shapes = [_of_shape(shape, analysis.anomalies) for shape in _distinct(analysis.evidence)]
    spoken = [shape.shape[:_MATCHED] for shape in analysis.evidence]
    silent = [
        _of_anomaly(anomaly)
        for anomaly in analysis.anomalies
        if not any(text and text in anomaly.statement for text in spoken)
    ]
    rest = sorted({item.key: item for item in [*shapes, *silent]}.values(), key=lambda i: i.key)
    chosen: list[EvidenceItem] = []
    while rest:
        best = max(rest, key=lambda item: item.worth - _SAME_PENALTY * _overlap(item, chosen))
        chosen.append(best)
        rest.remove(best)
    return tuple(chosen)


def split_values(shape: str, example: str) -> list[str] | None:
    """Return what stands in an example where the shape has masks; None where it does not fit.

    Literals are sought from left to right, so the cost is linear whatever the text.
    """
    literals = _MASK.split(shape)
    position = example.find(literals[0]) if literals[0] else 0
    if position < 0:
        return None
    position += len(literals[0])
    values = []
    for number, literal in enumerate(literals[1:], start=1):
        is_last = number == len(literals) - 1
        end = example.find(literal, position) if literal else len(example)
        if not literal and not is_last:
            return None
        if end < 0:
            return None
        values.append(example[position:end])
        position = end + len(literal)
    return values


def _distinct(evidence: Iterable[ShapeEvidence]) -> list[ShapeEvidence]:
    """Return one piece per shape text, the one with most events."""
    best: dict[str, ShapeEvidence] = {}
    for shape in sorted(evidence, key=lambda s: (-s.count, s.shape_id)):
        best.setdefault(shape.shape, shape)
    return list(best.values())


def _of_shape(shape: ShapeEvidence, anomalies: Sequence[Anomaly]) -> EvidenceItem:
    start = shape.shape[:_MATCHED]
    about = [anomaly for anomaly in anomalies if start and start in anomaly.statement]
    kinds = sorted({anomaly.kind for anomaly in about})
    row: dict[str, Plain] = {"template": shape.shape[:MAX_TEMPLATE]}
    example = min(shape.examples, default="", key=lambda text: (len(text), text))
    values = split_values(shape.shape, example) if example else None
    if values is not None:
        told = list(dict.fromkeys(value.strip()[:MAX_VALUE] for value in values if value.strip()))
        if told:
            row["values"] = told[:MAX_VALUES]
    elif example and example != shape.shape:
        row["example"] = example[:MAX_TEMPLATE]
    if shape.level is not None:
        row["level"] = shape.level.value
    row["count"] = shape.count
    if kinds:
        row["finding"] = [kind.value for kind in kinds]
    worth = (
        max((_KIND_WORTH[kind] for kind in kinds), default=0.0)
        + _PROBLEM_WORTH * shape.problem
        + (_LEVEL_WORTH.get(shape.level, 0.0) if shape.level else 0.0)
        + _RARE_WORTH / max(1, shape.count)
    )
    words = frozenset(words_of(shape.shape))
    return EvidenceItem(f"shape {shape.shape}", row, round(worth, 6), words)


def _of_anomaly(anomaly: Anomaly) -> EvidenceItem:
    row: dict[str, Plain] = {
        "finding": [anomaly.kind.value],
        "statement": anomaly.statement[:MAX_STATEMENT],
        "observed": round(anomaly.observed, 2),
        "expected": round(anomaly.expected, 2),
        "unit": anomaly.unit[:40],
    }
    words = frozenset({f"finding {anomaly.kind.value}", *words_of(anomaly.statement)})
    key = f"anomaly {anomaly.kind.value} {anomaly.service} {anomaly.statement} {anomaly.since_ms}"
    return EvidenceItem(key, row, _KIND_WORTH[anomaly.kind], words)


def _overlap(item: EvidenceItem, chosen: Sequence[EvidenceItem]) -> float:
    """Return the largest share of words (Jaccard) that the item has with a chosen one."""
    shares = (
        len(item.words & other.words) / max(1, len(item.words | other.words)) for other in chosen
    )
    return max(shares, default=0.0)
