"""The report of one trial: report.md for people, report.json for programs, and a picture.

Comes in: a decision, the figures of all entrants. Goes out: files in a folder. Promise: the text
says first whether the candidate passed and why; every number in it stands in the JSON too; without
matplotlib only the picture is missing.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from schemas.vocabulary import Category
from training.figures import UNUSABLE, Figures
from training.gate import Decision

TEXT_FILE, JSON_FILE, PICTURE = "report.md", "report.json", "confusion.png"
_ROWS: dict[str, Callable[[Figures], float | None]] = {
    "category, own word": lambda f: f.accuracy,
    "macro-F1, own word": lambda f: f.macro_f1,
    "severity exact, own word": lambda f: f.severity_exact,
    "answers that are JSON": lambda f: f.json_valid,
    "category, as served": lambda f: f.served.strict,
    "macro-F1, as served": lambda f: f.served.macro_f1,
    "severity exact, as served": lambda f: f.served.severity_exact,
    "calibration error, as served": lambda f: f.served.calibration_error,
    "its lower bound": lambda f: f.served.calibration_error_lower,
    "abstained": lambda f: f.served.abstained,
    "canaries, own word": lambda f: f.canaries,
    "canaries, as served": lambda f: f.canaries_served,
    "median latency, ms": lambda f: f.latency_ms,
    "prompt tokens, mean": lambda f: f.prompt_tokens,
    "answer tokens, mean": lambda f: f.completion_tokens,
}


def write_report(folder: Path, decision: Decision, entrants: Sequence[Figures], items: int) -> None:
    """Write the report of `entrants` (the candidate first) on `items` test items."""
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps(_json(decision, entrants, items), indent=2, ensure_ascii=False)
    (folder / JSON_FILE).write_text(content + "\n", encoding="utf-8")
    has_picture = _draw(folder / PICTURE, entrants[0])
    text = report_text(decision, entrants, items, has_picture=has_picture)
    (folder / TEXT_FILE).write_text(text, encoding="utf-8")


def report_text(
    decision: Decision, entrants: Sequence[Figures], items: int, *, has_picture: bool
) -> str:
    """Return the report as Markdown."""
    passed = "passed" if decision.passed else "refused"
    lines = [
        f"# {decision.candidate}: {passed}",
        "",
        f"{decision.reason[:1].upper()}{decision.reason[1:]}.",
        "",
        f"Held against {decision.in_service} on {items} incidents not trained on, and on "
        f"{entrants[0].canary_items} canaries.",
        "",
        "## Checks",
        "",
        "| check | | what was found |",
        "| --- | --- | --- |",
        *(
            f"| {check.name} | {'yes' if check.passed else '**no**'} | {check.said} |"
            for check in decision.checks
        ),
        "",
        "## Figures",
        "",
        f"| | {' | '.join(one.name for one in entrants)} |",
        f"| --- |{' --- |' * len(entrants)}",
        *(
            f"| {label} | {' | '.join(_number(read(one)) for one in entrants)} |"
            for label, read in _ROWS.items()
        ),
        "",
        "## Categories, own word of the candidate",
        "",
        "| category | items | precision | recall | F1 |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {category.value} | {word.items} | {_number(word.precision)} "
            f"| {_number(word.recall)} | {_number(word.f1)} |"
            for category, word in entrants[0].categories.items()
        ),
    ]
    if has_picture:
        lines += ["", f"![Which category was taken for which]({PICTURE})"]
    return "\n".join(lines) + "\n"


def _json(decision: Decision, entrants: Sequence[Figures], items: int) -> dict[str, Any]:
    return {
        "candidate": decision.candidate,
        "inService": decision.in_service,
        "passed": decision.passed,
        "reason": decision.reason,
        "items": items,
        "checks": [asdict(check) for check in decision.checks],
        "entrants": [asdict(one) for one in entrants],
    }


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.0f}"


def _draw(file: Path, figures: Figures) -> bool:
    """Draw the confusion matrix; False where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    said = [*(category.value for category in Category), UNUSABLE]
    counts = [[figures.confusion[category][name] for name in said] for category in Category]
    picture = Figure(figsize=(6.4, 5.2), layout="constrained")
    axes = picture.subplots()
    axes.imshow(counts, cmap="Blues")
    axes.set_xticks(range(len(said)), said, rotation=40, ha="right")
    axes.set_yticks(range(len(Category)), [category.value for category in Category])
    axes.set_xlabel("said")
    axes.set_ylabel("right")
    axes.set_title(figures.name)
    most = max(map(max, counts))
    for row, line in enumerate(counts):
        for column, count in enumerate(line):
            colour = "white" if count > most / 2 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    picture.savefig(file, dpi=110)
    return True
