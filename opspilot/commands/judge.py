"""`opspilot judge`: is it an incident, what kind, how bad; from lines alone, without Kafka.

Comes in: JSON lines {"id", "service", "lines": [...]}. Goes out: one judgement a line, in their
order. Promise: an item that cannot be read is named with line and field, the rest is judged, and
the exit status then is not zero.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from agents.logic.inspection import Inspection, Inspector
from agents.logic.judging.classifier import load_classifier
from streams.errors import InputError

app = typer.Typer()
_SHOWN_CHARACTERS = 60
_PROBE_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Item:
    """Lines to judge."""

    id: str | int | None
    service: str
    lines: list[str]


@app.command()
def judge(
    file: Annotated[str, typer.Argument(help="A file of JSON lines, or - for stdin.")] = "-",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Judge lines without Kafka: incident or not, category, severity, priority, summary.

    Each input line is {"id": ..., "service": ..., "lines": ["...", ...]}.

    Example: opspilot judge --json items.jsonl
    """
    inspector = Inspector(load_classifier())
    faults = judged = 0
    rows: list[tuple[Item, Inspection]] = []
    for number, line in _lines(file):
        try:
            item = read_item(line, number)
            inspection = inspector.inspect(item.service, item.lines)
        except InputError as error:
            faults += 1
            sys.stderr.write(f"opspilot: {error}\n")
            continue
        judged += 1
        if as_json:
            sys.stdout.write(json.dumps(to_json(item, inspection), ensure_ascii=False) + "\n")
        else:
            rows.append((item, inspection))
    if rows:
        _print_table(rows)
    if not judged and not faults:
        raise InputError(f"{_name(file)} holds no items: give JSON lines with id, service, lines.")
    if faults:
        raise typer.Exit(1)


def read_item(line: bytes, number: int) -> Item:
    """Read one input line; raises InputError that names the line, the field, what it must be."""
    where = f"line {number}"
    try:
        fields: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where} is not JSON: {error.msg} at column {error.colno}.") from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{where} is not JSON: {error}.") from None
    if not isinstance(fields, dict):
        raise InputError(f"{where} must be a JSON object, not {_shown(fields)}.")
    if "lines" not in fields:
        raise InputError(f"{where} has no `lines`: give a list of strings.")
    lines = fields["lines"]
    if not isinstance(lines, list) or not all(isinstance(text, str) for text in lines):
        raise InputError(f"{where}: `lines` must be a list of strings, not {_shown(lines)}.")
    if not any(text.strip() for text in lines):
        raise InputError(f"{where}: `lines` holds no text: give at least one log line.")
    service = fields.get("service", "")
    if service is not None and not isinstance(service, str):
        raise InputError(f"{where}: `service` must be a string, not {_shown(service)}.")
    item_id = fields.get("id")
    if item_id is not None and (isinstance(item_id, bool) or not isinstance(item_id, str | int)):
        raise InputError(f"{where}: `id` must be a string or a number, not {_shown(item_id)}.")
    return Item(item_id, service or "unknown", lines)


def to_json(item: Item, inspection: Inspection) -> dict[str, Any]:
    """Return the judgement as it stands on the output."""
    verdict = inspection.verdict
    return {
        "id": item.id,
        "isIncident": inspection.is_incident,
        "category": verdict.category.value,
        "subcategory": verdict.subcategory,
        "severity": verdict.severity.value,
        "priority": verdict.priority.value,
        "confidence": verdict.confidence,
        "summary": verdict.summary,
    }


def _lines(file: str) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that hold something, with their numbers."""
    if file == "-":
        yield from _numbered(cast(BufferedReader, sys.stdin.buffer), _name(file))
        return
    try:
        with Path(file).open("rb") as opened:
            yield from _numbered(opened, _name(file))
    except FileNotFoundError:
        raise InputError(f"There is no file {file}: give a file of JSON lines, or -.") from None
    except IsADirectoryError:
        raise InputError(f"{file} is a folder: give a file of JSON lines.") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from None


def _numbered(stream: BufferedReader, name: str) -> Iterator[tuple[int, bytes]]:
    if b"\0" in stream.peek(_PROBE_BYTES):
        raise InputError(f"{name} is binary: give JSON lines in UTF-8.")
    for number, line in enumerate(stream, start=1):
        if line.strip():
            yield number, line


def _name(file: str) -> str:
    return "Standard input" if file == "-" else file


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def _print_table(rows: list[tuple[Item, Inspection]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for heading in ("id", "incident", "category", "severity", "priority", "summary"):
        table.add_column(heading)
    for item, inspection in rows:
        verdict = inspection.verdict
        table.add_row(
            Text(str(item.id)),
            "yes" if inspection.is_incident else "no",
            verdict.category.value,
            verdict.severity.value,
            verdict.priority.value,
            Text(verdict.summary),
        )
    Console().print(table)
