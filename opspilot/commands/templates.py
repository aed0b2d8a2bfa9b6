"""`opspilot templates FILE`: what a log says, with what varies left out; needs no Kafka.

Comes in: a text file. Goes out: its templates with counts, or with `--json` one object per line
of the file, in its order. Promise: the same lines give the same templates in whatever order.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.logic.templates import Grouping, group
from opspilot.logfiles import whole_lines
from streams.shape.shaper import ShapeInfo, Shaper

app = typer.Typer()


@app.command()
def templates(
    file: Annotated[Path, typer.Argument(help="A log file, in any encoding.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per line of the file, in its order.")
    ] = False,
) -> None:
    """Print the templates of a log file with their counts; no Kafka is needed.

    Example: opspilot templates /var/log/syslog
    """
    shaper = Shaper()
    infos = [_shape(shaper, line) for line in whole_lines(file)]
    grouping = group({(info.shape_id, info.text) for info in infos})
    if as_json:
        _print_json(infos, grouping)
    else:
        _print_table(infos, grouping)


def _shape(shaper: Shaper, line: bytes) -> ShapeInfo:
    """Shape a line, with bytes that are no UTF-8 replaced as ingest does."""
    return shaper.line(line.decode("utf-8", "replace").encode())


def _print_json(infos: list[ShapeInfo], grouping: Grouping) -> None:
    for number, info in enumerate(infos, start=1):
        template = grouping[info.shape_id]
        typer.echo(
            json.dumps(
                {
                    "line": number,
                    "shapeId": info.shape_id,
                    "templateId": template.template_id,
                    "template": template.text,
                },
                ensure_ascii=False,
            )
        )


def _print_table(infos: list[ShapeInfo], grouping: Grouping) -> None:
    counts = Counter(grouping[info.shape_id] for info in infos)
    shapes: dict[str, set[str]] = {}
    for info in infos:
        shapes.setdefault(grouping[info.shape_id].template_id, set()).add(info.shape_id)
    table = Table(box=None, header_style="bold")
    table.add_column("lines", justify="right")
    table.add_column("shapes", justify="right")
    table.add_column("id")
    table.add_column("template", overflow="fold")
    for template, count in sorted(counts.items(), key=lambda item: (-item[1], item[0].text)):
        table.add_row(
            f"{count:,}",
            str(len(shapes[template.template_id])),
            template.template_id,
            Text(template.text),
        )
    console = Console()
    console.print(table)
    console.print(f"{len(infos):,} lines, {len(counts):,} templates", highlight=False)
