"""`opspilot replay`: log files become raw records, as if a shipper had tailed them.

Comes in: files and whose they are. Goes out: their lines on the raw topic, then end-of-input marks.
Promise: the status is 0 only when the broker has every line.
"""

import asyncio
import sys
from math import inf
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from opspilot.logfiles import (
    LogFile,
    has_stamps,
    in_time_order,
    parse_sources,
    read_lines,
    size_bytes,
)
from opspilot.replaying import Replayer, Sent
from streams.clock import now_ms
from streams.errors import InputError
from streams.settings import Settings, load_settings

app = typer.Typer()


@app.command()
def replay(
    files: Annotated[
        list[str], typer.Argument(help="Log files, plain or gzip; also SERVICE=FILE.")
    ],
    service: Annotated[
        str | None,
        typer.Option(help="Whose lines they are; by default each file's name up to its first dot."),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(help="1: as it happened, 60: an hour in a minute. By default at once."),
    ] = None,
) -> None:
    """Send the lines of log files to the raw topic, then say that nothing more comes.

    Example: opspilot replay /var/log/checkout.log --service checkout --speed 60
    """
    if speed is not None and not 0 < speed < inf:
        raise InputError(f"--speed {speed:g}: must be a number above 0, such as 60")
    sources = parse_sources(files, service)
    settings = load_settings()
    sent = send_files(settings, sources, speed)
    names = ", ".join(f"{name} {count:,}" for name, count in sorted(sent.per_service.items()))
    typer.echo(f"{sent.lines:,} lines sent to Kafka at {settings.kafka.bootstrap}: {names}")


def send_files(settings: Settings, sources: list[LogFile], speed: float | None = None) -> Sent:
    """Send the files with a progress bar on the error stream; returns what was sent."""
    append_ms = now_ms()
    if speed is not None:
        for source in sources:
            if not has_stamps(source, append_ms):
                raise InputError(
                    f"--speed needs lines that say when they happened, and the first lines of "
                    f"{source.path} do not: leave --speed out"
                )
    # One file after the other would be late where they share a raw partition; a single file keeps
    # its order, and reading its stamps would cost more than sending it.
    merged = speed is not None or len(sources) > 1
    lines = in_time_order(sources, append_ms) if merged else read_lines(sources[0])
    total = sum(map(size_bytes, sources))
    # Stdout stays free for results, so that a pipe gets nothing else.
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[lines]:,} lines"),
        TimeElapsedColumn(),
        console=console,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task(_title(sources), total=total, lines=0)

        def report(sent: Sent) -> None:
            bar.update(task, completed=min(sent.read_bytes, total), lines=sent.lines)

        sent = asyncio.run(Replayer(settings, report).run(lines, speed))
        bar.update(task, completed=total, lines=sent.lines)
    return sent


def _title(sources: list[LogFile]) -> str:
    if len(sources) == 1:
        return str(Path(sources[0].path).name)
    return f"{len(sources)} files"
