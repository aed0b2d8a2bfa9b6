"""`opspilot eval`: measures what the pipeline decides against labelled data; needs no Kafka.

Comes in: files with labels. Goes out: tables, each beside the yardstick that it must beat.
Promise: nothing is trained or tuned here; the same file gives the same figures.
"""

from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from agents.logic.inspection import Inspector
from agents.logic.judging.classifier import load_classifier
from opspilot.logfiles import whole_lines
from schemas.vocabulary import Category, Severity
from streams.errors import InputError
from training.evaluation.classification import Report, Said, report
from training.evaluation.detection import detection_report, read_bags
from training.evaluation.grouping import (
    Parser,
    evaluate,
    parse_with_drain3,
    parse_with_opspilot,
)
from training.evaluation.items import Item, read_items

app = typer.Typer(
    no_args_is_help=True,
    help="Measure the judge on labelled lines.\n\nExample: opspilot eval detection windows.jsonl",
)


@app.command()
def classification(
    file: Annotated[Path, typer.Argument(help="JSON lines: system, examples, category, ...")],
) -> None:
    """Measure category, severity and confidence as `opspilot judge` gives them.

    Example: opspilot eval classification labelled.jsonl
    """
    lines = [line.decode("utf-8", "replace") for line in whole_lines(file)]
    items = read_items(lines, file.name)
    inspector = Inspector(load_classifier())
    said = []
    for item in items:
        verdict = inspector.inspect(item.service, item.lines).verdict
        said.append(Said(verdict.category, verdict.severity, verdict.confidence, verdict.abstained))
    truths = [item.truth for item in items]
    console = Console()
    console.print(_figures(report(truths, said), report(truths, _yardstick(items))))
    console.print(_categories(report(truths, said)))


@app.command()
def detection(
    file: Annotated[Path, typer.Argument(help="JSON lines: system, lines, is_incident.")],
) -> None:
    """Measure whether windows of lines are told to be incidents or not.

    Example: opspilot eval detection windows.jsonl
    """
    lines = [line.decode("utf-8", "replace") for line in whole_lines(file)]
    bags = read_bags(lines, file.name)
    inspector = Inspector(load_classifier())
    said = [inspector.inspect(bag.service, bag.lines).is_incident for bag in bags]
    expected = [bag.is_incident for bag in bags]
    judged = detection_report(expected, said)
    constant = detection_report(expected, [True] * len(bags))
    title = f"{judged.bags} windows, {judged.incidents} incidents"
    table = Table(title=title, box=None, header_style="bold")
    table.add_column("")
    table.add_column("opspilot", justify="right")
    table.add_column("always an incident", justify="right")
    table.add_row("found", str(judged.found), str(constant.found))
    table.add_row("false alarms", str(judged.false_alarms), str(constant.false_alarms))
    for name in ("precision", "recall", "f1"):
        table.add_row(name, _number(getattr(judged, name)), _number(getattr(constant, name)))
    Console().print(table)


@app.command()
def grouping(
    folder: Annotated[Path, typer.Argument(help="A folder with LogHub's SYSTEM/*_2k files.")],
) -> None:
    """Measure how well lines are grouped into templates, beside drain3 where it is installed.

    Example: opspilot eval grouping loghub/
    """
    parsers: dict[str, Parser] = {"opspilot": parse_with_opspilot}
    if find_spec("drain3") is not None:
        parsers["drain3"] = lambda lines: parse_with_drain3(lines, masks=False)
        parsers["drain3 with masks"] = lambda lines: parse_with_drain3(lines, masks=True)
    try:
        result = evaluate(folder, parsers)
    except FileNotFoundError:
        raise InputError(
            f"{folder} holds no SYSTEM/SYSTEM_2k.log_structured.csv: give a folder of LogHub's."
        ) from None
    table = Table(title="grouping / parsing accuracy", box=None, header_style="bold")
    table.add_column("system")
    for name in parsers:
        table.add_column(name, justify="right")
    for system, row in result.items():
        table.add_row(system, *(f"{row[name][0]:.3f} / {row[name][1]:.3f}" for name in parsers))
    means = [
        tuple(sum(row[name][place] for row in result.values()) / len(result) for place in (0, 1))
        for name in parsers
    ]
    table.add_row("mean", *(f"{mean[0]:.3f} / {mean[1]:.3f}" for mean in means))
    Console().print(table)


def _yardstick(items: Sequence[Item]) -> list[Said]:
    """Return what a judge says that reads nothing: the commonest category, always medium."""
    (category, count), *_ = Counter(item.truth.category for item in items).most_common(1)
    return [Said(category, Severity.MEDIUM, count / len(items))] * len(items)


def _figures(judged: Report, constant: Report) -> Table:
    table = Table(title=f"{judged.items} items", box=None, header_style="bold")
    table.add_column("")
    table.add_column("baseline judge", justify="right")
    table.add_column("constant answer", justify="right")
    rows = {
        "category, strict": "strict",
        "category, lenient": "lenient",
        "category, macro-F1": "macro_f1",
        "severity, exact": "severity_exact",
        "severity, within one": "severity_within_one",
        "severity, quadratic kappa": "severity_kappa",
        "calibration error (5 bins)": "calibration_error",
        "  its lower bound (bootstrap, 5 %)": "calibration_error_lower",
        "  its upper bound (bootstrap, 95 %)": "calibration_error_upper",
        "abstained": "abstained",
        "strict where not abstained": "strict_when_answered",
    }
    for label, name in rows.items():
        table.add_row(label, _number(getattr(judged, name)), _number(getattr(constant, name)))
    return table


def _categories(judged: Report) -> Table:
    table = Table(box=None, header_style="bold")
    for heading in ("category", "items", "precision", "recall", "F1"):
        table.add_column(heading, justify="left" if heading == "category" else "right")
    for category in Category:
        figures = judged.per_category[category]
        table.add_row(
            category.value,
            str(figures.items),
            _number(figures.precision),
            _number(figures.recall),
            _number(figures.f1),
        )
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
