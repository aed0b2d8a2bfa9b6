"""What people corrected, learnt by the baseline: and nothing else unlearnt."""

import json
from dataclasses import replace

import pytest

from agents.logic.judging.classifier import (
    DESCRIPTION,
    Classifier,
    load_classifier,
    read_weights,
)
from agents.logic.judging.incidents import judge_incident
from agents.logic.windows.grading import Grader
from agents.prompt_files import load_prompt
from schemas.vocabulary import Category, Severity
from streams.errors import InputError
from training import refit as refitting
from training.corpus import load_events
from training.dataset.asking import Labels, make_example
from training.dataset.chance import Chance
from training.dataset.corrections import is_correction
from training.dataset.examples import Example, Split, file_name, write_example
from training.dataset.incidents import incident_of
from training.gate import GateRules
from training.refit import events_of, read_fitted, refit
from training.report import TEXT_FILE
from training.trial import BASELINE, try_baseline

GRADER = Grader(load_classifier())
WRONG = Category.HARDWARE
"""What people say of lines that the committed baseline takes for something else."""
CANARY = "ERROR could not reach fraud-check at 10.20.3.8:9443: connection refused"
LINES = [
    f"ERROR {what} of the quorvex {part} failed: flimmer {how}"
    for what in ("alignment", "start", "reading", "update", "probe")
    for part in ("manifold", "coupler", "stage", "bay")
    for how in ("out of phase", "lost")
]


def correction(
    number: int, split: Split, category: Category = WRONG, line: str | None = None
) -> Example:
    line = line or LINES[number]
    return make_example(
        incident_of("orders", [line] * 2, GRADER),
        Labels(category, Severity.HIGH, category.value.lower(), line),
        load_prompt("classify"),
        split=split,
        family=f"feedback {number}",
        items=6,
    )


@pytest.fixture(autouse=True)
def few_events(monkeypatch):
    """A sixth of the events: fitting on all takes half a minute."""
    events = Chance("refit").shuffled(load_events())
    monkeypatch.setattr(refitting, "load_events", lambda: events[: len(events) // 6])


@pytest.fixture
def dataset(tmp_path):
    """Corrections, every other wording held back, and a canary; without the check for leaks."""
    canary = correction(0, Split.CANARY, Category.NETWORK, CANARY)
    splits = {
        Split.TRAIN: [correction(n, Split.TRAIN) for n in range(0, len(LINES), 2)],
        Split.TEST: [correction(n, Split.TEST) for n in range(1, len(LINES), 2)],
        Split.VALIDATION: [],
        Split.CANARY: [canary],
    }
    folder = tmp_path / "data"
    folder.mkdir()
    for split, examples in splits.items():
        (folder / file_name(split)).write_text("".join(f"{write_example(e)}\n" for e in examples))
    return folder


def fitted(folder) -> Classifier:
    return Classifier(read_weights(*read_fitted(folder)))


def test_what_was_corrected_is_learnt_for_other_wordings_and_passes_the_gate(dataset, tmp_path):
    out = tmp_path / "fitted"
    refit(dataset, out)
    held = correction(1, Split.TEST)
    assert judge_incident(held.incident, load_classifier()).category is not WRONG
    assert judge_incident(held.incident, fitted(out)).category is WRONG
    known = json.loads((out / DESCRIPTION).read_text())
    assert known["corrections"] == len(LINES) // 2
    assert known["fitted_from"] == load_classifier().meta["events_sha256"]
    verdict = try_baseline(
        dataset,
        ("new", fitted(out)),
        (BASELINE, load_classifier()),
        tmp_path,
        rules=GateRules(least_items=10),
    )
    assert verdict.decision.passed, verdict.decision.reason
    assert verdict.figures["candidate_accuracy"] > verdict.figures["baseline_accuracy"]
    assert (tmp_path / TEXT_FILE).is_file()


def test_a_baseline_that_is_no_better_is_refused(dataset, tmp_path):
    same = ("new", load_classifier())
    verdict = try_baseline(dataset, same, (BASELINE, load_classifier()), tmp_path)
    failed = {check.name for check in verdict.decision.checks if not check.passed}
    assert {"better", "items"} <= failed


def test_against_a_baseline_that_was_fitted_before_the_committed_one_counts_too(dataset, tmp_path):
    out = tmp_path / "fitted"
    refit(dataset, out)
    before = ("old", fitted(out))
    verdict = try_baseline(dataset, ("new", fitted(out)), before, tmp_path)
    assert "in_service_accuracy" in verdict.figures
    assert verdict.decision.in_service == "old"
    assert not verdict.decision.passed


def test_without_corrections_there_is_nothing_to_fit_and_the_fault_says_what_counts(
    dataset, tmp_path
):
    synthetic = replace(correction(0, Split.TRAIN), family="nginx upstream")
    (dataset / file_name(Split.TRAIN)).write_text(write_example(synthetic))
    with pytest.raises(InputError, match="two people must name a label"):
        refit(dataset, tmp_path / "fitted")
    assert not (tmp_path / "fitted").exists()


def test_only_lines_that_report_a_problem_stand_for_the_label():
    lines = ["ERROR connection refused by db-1"] * 2 + ["INFO request served in 12 ms"] * 2
    example = replace(correction(0, Split.TRAIN), incident=incident_of("orders", lines, GRADER))
    assert is_correction(example)
    events = events_of([example, example])
    assert [event.line for event in events] == [lines[0]]
    assert (events[0].product, events[0].category) == (example.family, WRONG)
