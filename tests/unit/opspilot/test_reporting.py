"""What a person reports becomes a finding without secrets, the same for the same words."""

from agents.logic.incidents.correlation import IncidentRules, IncidentState, apply_finding
from agents.logic.incidents.episodes import EpisodeRules
from opspilot.reporting import incident_id, make_report
from streams.ingest.redact import Redactor

NOW_MS = 1_773_122_403_456
SERVICE = "default/default/checkout"
LINES = [
    "2026-03-10 06:00:00 ERROR payment 17 failed for jane@example.org",
    "2026-03-10 06:00:01 ERROR payment 18 failed for max@example.org",
    "2026-03-10 06:00:02 WARN retrying",
]


def test_the_printed_id_is_that_of_the_incident() -> None:
    finding = make_report(SERVICE, "Nobody can pay", LINES, NOW_MS, Redactor(), "ann")
    rules = IncidentRules(EpisodeRules(60_000, 3_600_000), 6, 50, 1_000)
    _state, incidents = apply_finding(IncidentState(), finding, 0, rules, {})
    assert [incident.id for incident in incidents] == [incident_id(finding)]
    assert incidents[0].description == "Nobody can pay"
    assert incidents[0].reported_by == "ann"


def test_alike_lines_are_one_shape_with_its_count() -> None:
    finding = make_report(SERVICE, "Nobody can pay", LINES, NOW_MS, Redactor())
    assert [shape.count for shape in finding.shapes] == [2, 1]
    assert finding.count == 3


def test_nothing_personal_leaves() -> None:
    words = "jane@example.org cannot pay, password=hunter2"
    finding = make_report(SERVICE, words, LINES, NOW_MS, Redactor())
    wire = finding.to_bytes().decode()
    assert "@example.org" not in wire
    assert "hunter2" not in wire


def test_the_same_words_at_once_are_one_report() -> None:
    one, again, later = (
        incident_id(make_report(SERVICE, "Nobody can pay", [], now, Redactor()))
        for now in (NOW_MS, NOW_MS + 1_000, NOW_MS + 60_000)
    )
    assert one == again
    assert one != later
