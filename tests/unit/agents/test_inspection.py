"""Judging bags of lines with the committed baseline: what any engineer would say."""

import json
from pathlib import Path

import pytest

from agents.logic.inspection import Inspector
from agents.logic.judging.classifier import load_classifier
from opspilot.cli import run
from schemas.vocabulary import Category

QUIET = [f"2026-03-01 10:00:{i:02d} INFO http: GET /health 200 in {i % 4} ms" for i in range(30)]
REFUSED = "2026-03-01 10:00:31 ERROR pool: connection to 10.0.0.9:5432 refused, no retries left"


@pytest.fixture(scope="module")
def inspector() -> Inspector:
    return Inspector(load_classifier())


def test_routine_lines_are_no_incident(inspector: Inspector) -> None:
    assert not inspector.inspect("web", QUIET).is_incident


def test_errors_among_routine_lines_are_one(inspector: Inspector) -> None:
    found = inspector.inspect("web", [*QUIET, REFUSED, REFUSED, REFUSED])
    assert found.is_incident
    assert found.verdict.category in (Category.NETWORK, Category.DATABASE)


def test_the_order_of_the_lines_changes_nothing(inspector: Inspector) -> None:
    lines = [*QUIET, REFUSED, REFUSED]
    one, other = inspector.inspect("web", lines), inspector.inspect("web", lines[::-1])
    assert (one.is_incident, one.evidence, one.verdict.category) == (
        other.is_incident,
        other.evidence,
        other.verdict.category,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kernel: EXT4-fs error (device sda1): journal has aborted, remounting read-only", True),
        ("kernel: usb 1-1: new high-speed USB device number 4 using xhci_hcd", False),
    ],
)
def test_one_line_is_judged_by_its_wording(inspector: Inspector, text: str, expected: bool) -> None:
    assert inspector.inspect("kernel", [text]).is_incident is expected


def test_no_text_is_refused(inspector: Inspector) -> None:
    with pytest.raises(ValueError, match="no line holds anything"):
        inspector.inspect("web", ["", "  "])


def _judge(tmp_path: Path, capsys: pytest.CaptureFixture[str], *lines: str) -> tuple[int, str, str]:
    file = tmp_path / "items.jsonl"
    file.write_text("\n".join(lines))
    status = run(["judge", "--json", str(file)])
    out, err = capsys.readouterr()
    return status, out, err


def test_the_command_answers_each_item_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = [{"id": "a", "service": "web", "lines": QUIET}, {"id": 7, "lines": [REFUSED]}]
    status, out, err = _judge(tmp_path, capsys, *map(json.dumps, items))
    answers = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert [(a["id"], a["isIncident"]) for a in answers] == [("a", False), (7, True)]
    assert set(answers[0]) == {
        "id", "isIncident", "category", "subcategory", "severity", "priority", "confidence",
        "summary",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("{nonsense", "line 1 is not JSON"),
        ('{"id": 1, "lines": "text"}', "line 1: `lines` must be a list of strings"),
        ('{"id": 1, "lines": []}', "line 1: `lines` holds no text"),
        ('{"id": 1, "service": 4, "lines": ["x"]}', "line 1: `service` must be a string"),
        ('{"id": [], "lines": ["x"]}', "line 1: `id` must be a string"),
    ],
)
def test_a_bad_item_is_named_and_the_rest_is_judged(
    bad: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = _judge(tmp_path, capsys, bad, json.dumps({"id": 2, "lines": [REFUSED]}))
    assert status == 1
    assert said in err
    assert json.loads(out)["id"] == 2


def test_a_missing_and_an_empty_file_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["judge", str(tmp_path / "none.jsonl")]) == 1
    assert "There is no file" in capsys.readouterr().err
    (tmp_path / "empty.jsonl").write_text("")
    assert run(["judge", str(tmp_path / "empty.jsonl")]) == 1
    assert "holds no items" in capsys.readouterr().err
    (tmp_path / "packed.jsonl").write_bytes(bytes(range(200)) * 99)
    assert run(["judge", str(tmp_path / "packed.jsonl")]) == 1
    said = capsys.readouterr().err
    assert said.endswith("packed.jsonl is binary: give JSON lines in UTF-8.\n")
    assert len(said.splitlines()) == 1


def test_the_inside_of_a_trace_without_its_head_is_judged_as_well():
    inspector = Inspector(load_classifier())
    inspection = inspector.inspect("shop", ["Caused by: java.net.ConnectException: refused"])
    assert inspection.is_incident
