"""Figures as a table, on a terminal or in a Markdown file: the same rows either way.

Comes in: a title, headings and rows. Goes out: text. Promise: numbers are written alike everywhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figures:
    """One table; the first column names what is measured."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def number(value: float | None) -> str:
    """Write a share or a score."""
    return "-" if value is None else f"{value:.3f}"


def show(tables: Iterable[Figures]) -> None:
    """Print tables for a person."""
    console = Console()
    for figures in tables:
        table = Table(title=figures.title, box=None, header_style="bold")
        for place, heading in enumerate(figures.headings):
            table.add_column(heading, justify="right" if place else "left")
        for row in figures.rows:
            table.add_row(*row)
        console.print(table)


def markdown(figures: Figures) -> str:
    """Return the table as Markdown, its title as the first heading."""
    first, *others = figures.headings
    lines = [
        _row((f"{figures.title}{': ' + first if first else ''}", *others)),
        _row(("---",) * len(figures.headings)),
        *(_row(tuple(cell.strip() for cell in row)) for row in figures.rows),
    ]
    return "\n".join(lines)


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
