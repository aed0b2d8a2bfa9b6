"""Measures of incident detection over bags of lines, and the labelled bags themselves.

Comes in: JSON lines with `system`, `lines`, `is_incident`; what a judge said of each.
Goes out: precision, recall, F1. Promise: None where a figure has nothing to stand on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streams.errors import InputError
from training.evaluation.jsonlines import read_objects


@dataclass(frozen=True, slots=True)
class Bag:
    """Consecutive lines of one service, and whether someone should be called for them."""

    service: str
    lines: tuple[str, ...]
    is_incident: bool


@dataclass(frozen=True, slots=True)
class DetectionReport:
    """How well incidents were told from quiet bags."""

    bags: int
    incidents: int
    found: int
    false_alarms: int
    precision: float | None
    recall: float | None
    f1: float


def read_bags(lines: Iterable[str], name: str) -> list[Bag]:
    """Return the bags; raises InputError that names the line and the field that is wrong."""
    return [_bag(where, fields) for where, fields in read_objects(lines, name, "windows")]


def _bag(where: str, fields: Mapping[str, Any]) -> Bag:
    texts, is_incident = fields.get("lines"), fields.get("is_incident")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InputError(f"{where}: `lines` must be a list of strings.")
    if not isinstance(is_incident, bool):
        raise InputError(f"{where}: `is_incident` must be true or false, not {is_incident!r}.")
    return Bag(str(fields.get("system", "")), tuple(texts), is_incident)


def detection_report(expected: Sequence[bool], said: Sequence[bool]) -> DetectionReport:
    """Return the figures; raises ValueError when there is nothing to measure or lengths differ."""
    if not expected or len(expected) != len(said):
        raise ValueError(f"{len(expected)} bags and {len(said)} verdicts cannot be compared")
    found = sum(a and b for a, b in zip(expected, said, strict=True))
    incidents, alarms = sum(expected), sum(said)
    return DetectionReport(
        bags=len(expected),
        incidents=incidents,
        found=found,
        false_alarms=alarms - found,
        precision=found / alarms if alarms else None,
        recall=found / incidents if incidents else None,
        f1=2 * found / (incidents + alarms) if incidents + alarms else 0.0,
    )
