"""How well incidents are told from routine: precision, recall and F1 over windows of lines.

Comes in: a file of JSON lines with `system`, `lines`, `is_incident`. Goes out: DetectionReport.
Promise: a cold start for every window; a fault in the file names the line and the field.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.logic.classifier import load_classifier
from agents.logic.inspection import Inspector
from streams.errors import InputError


@dataclass(frozen=True, slots=True)
class Window:
    """Consecutive lines of one system, and whether they are an incident."""

    id: str
    system: str
    lines: tuple[str, ...]
    is_incident: bool


@dataclass(frozen=True, slots=True)
class DetectionReport:
    """Counts and shares; `missed` and `false` name the windows that were judged wrongly."""

    windows: int
    incidents: int
    true_positives: int
    precision: float | None
    recall: float | None
    f1: float | None
    missed: tuple[str, ...]
    false: tuple[str, ...]


def evaluate_windows(path: Path) -> DetectionReport:
    """Judge every window of a file by itself; raises InputError for a file that cannot be used."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from None
    windows = read_windows(text.splitlines(), path.name)
    inspector = Inspector(load_classifier())
    said = [inspector.inspect(window.system, window.lines).is_incident for window in windows]
    return detection_report(windows, said)


def detection_report(windows: list[Window], said: list[bool]) -> DetectionReport:
    """Compare what was said of the windows with what they are."""
    pairs = list(zip(windows, said, strict=True))
    hits = sum(1 for window, incident in pairs if window.is_incident and incident)
    missed = tuple(window.id for window, incident in pairs if window.is_incident and not incident)
    false = tuple(window.id for window, incident in pairs if incident and not window.is_incident)
    precision = hits / (hits + len(false)) if hits + len(false) else None
    recall = hits / (hits + len(missed)) if hits + len(missed) else None
    wrong = len(false) + len(missed)
    f1 = 2 * hits / (2 * hits + wrong) if hits or wrong else None
    return DetectionReport(
        len(windows), hits + len(missed), hits, precision, recall, f1, missed, false
    )


def read_windows(lines: Iterable[str], name: str) -> list[Window]:
    """Return the windows; raises InputError at the first line that is not one."""
    windows = [
        _window(line, f"{name}, line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    if not windows:
        raise InputError(f"{name} holds no windows: give a file of JSON lines.")
    return windows


def _window(line: str, where: str) -> Window:
    try:
        fields: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not JSON ({error.msg}).") from None
    if not isinstance(fields, dict):
        raise InputError(f"{where}: must be a JSON object, not {line.strip()[:40]!r}.")
    texts = fields.get("lines")
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
        raise InputError(f"{where}: `lines` must be a list of strings with at least one in it.")
    incident = fields.get("is_incident", fields.get("isIncident"))
    if not isinstance(incident, bool):
        raise InputError(f"{where}: `is_incident` must be true or false, not {incident!r}.")
    return Window(
        str(fields.get("id", where)), str(fields.get("system", "")), tuple(texts), incident
    )
