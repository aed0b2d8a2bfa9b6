"""A folder is a log and what must come of it; adding a scenario is adding a folder.

`input.log`: records as a shipper writes them, plain lines of one service or JSON with `service`.
`expected.yaml`: `incidents`, each with category, severity_at_least, contains, and perhaps service.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.logic.judging.classifier import Classifier, load_classifier
from agents.logic.judging.incidents import judge_incident
from agents.logic.pipeline import Line, run_lines
from agents.logic.windows.grading import Grader
from schemas.incident import Incident
from schemas.vocabulary import IncidentStatus, Severity

FOLDERS = sorted(path.parent for path in Path(__file__).parent.glob("*/input.log"))
APPENDED_MS = 1_772_409_600_000
"""2 March 2026: against it the years of stamps without one are read."""


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier()


def test_there_are_enough_scenarios() -> None:
    quiet = [folder for folder in FOLDERS if not expected_of(folder)]
    assert len(FOLDERS) >= 25
    assert len(quiet) >= 10


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_scenario(folder: Path, classifier: Classifier) -> None:
    lines = [
        Line("" if text.startswith("{") else folder.name, text, APPENDED_MS)
        for text in (folder / "input.log").read_text().splitlines()
    ]
    outcome = run_lines(lines, Grader(classifier), batch_records=200)
    found = sorted(
        (i for i in outcome.incidents.values() if i.status is not IncidentStatus.MERGED),
        key=lambda incident: incident.opened_ms,
    )
    expected = expected_of(folder)
    assert len(found) == len(expected), [incident.title for incident in found]
    for incident, wanted in zip(found, expected, strict=True):
        check(incident, wanted, classifier)


def check(incident: Incident, wanted: dict[str, Any], classifier: Classifier) -> None:
    verdict = judge_incident(incident, classifier)
    assert verdict.category == wanted["category"], verdict.summary
    assert verdict.severity.rank >= Severity(wanted["severity_at_least"]).rank, verdict.summary
    assert incident.service.endswith(wanted.get("service", ""))
    said = [incident.title, *(shape.shape for shape in incident.analysis.evidence)]
    said += [text for shape in incident.analysis.evidence for text in shape.examples]
    assert any(wanted["contains"] in text for text in said), said


def expected_of(folder: Path) -> list[dict[str, Any]]:
    incidents: list[dict[str, Any]] = yaml.safe_load((folder / "expected.yaml").read_text())[
        "incidents"
    ]
    return incidents
