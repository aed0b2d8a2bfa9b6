"""`opspilot up`: the whole pipeline on this machine, until it is told to stop.

Comes in: a data folder, processes per stage. Goes out: a Kafka to ship logs to, and results on its
topics. Promise: processes that end are started again; Ctrl-C or SIGTERM drains and stops, status 0.
"""

import signal
import sys
import threading
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

if TYPE_CHECKING:
    from opspilot.local.worker import WorkerStatus
    from opspilot.stack import Stack

app = typer.Typer()

DEFAULT_PORT = 9092


class ModelName(StrEnum):
    """The language models that can be started beside the pipeline."""

    LOCAL = "local"


REFRESH_SECONDS = 1.0


@app.command()
def up(
    data: Annotated[
        Path, typer.Option(help="Folder for Kafka's data, state and logs; kept between starts.")
    ] = Path(".opspilot"),
    port: Annotated[
        int, typer.Option(min=1, max=65_535, help="Port of the Kafka that is started.")
    ] = DEFAULT_PORT,
    ingest: Annotated[int, typer.Option(help="Processes of ingest.")] = 1,
    analyze: Annotated[int, typer.Option(help="Processes of analyze.")] = 1,
    classify: Annotated[int, typer.Option(help="Processes of classify.")] = 1,
    recommend: Annotated[int, typer.Option(help="Processes of recommend.")] = 1,
    model: Annotated[
        ModelName | None,
        typer.Option(help="Start a small language model on this machine and have it judge."),
    ] = None,
) -> None:
    """Run Kafka, its topics and every stage on this machine; Ctrl-C stops it in good order.

    With --kafka HOST:PORT no Kafka is started, and that one is used.

    Example: opspilot up --ingest 2
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print("OpsPilot starts; Ctrl-C stops it", markup=False)
    # Imported late: the first line is on the screen before the pipeline's modules are loaded.
    from opspilot.stack import LEARNING, STAGES, StackPlan, named_kafka, running_stack

    members = {
        "ingest": ingest,
        "analyze": analyze,
        "classify": classify,
        "recommend": recommend,
    }
    kafka = named_kafka()
    plan = StackPlan(
        data,
        members,
        kafka,
        None if kafka else port,
        local_model=model is not None,
        stages=STAGES + LEARNING,
    )
    stopping = threading.Event()
    previous = {s: signal.signal(s, _interrupt) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        with running_stack(plan, lambda text: console.print(text, markup=False)) as stack:
            for number in previous:
                signal.signal(number, lambda _number, _frame: stopping.set())
            _introduce(console, stack)
            _watch(console, stack, stopping)
    except KeyboardInterrupt:
        # Told to stop before it was up: what had been started is stopped by now.
        console.print("stopped", markup=False)
        return
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    console.print("stopped", markup=False)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _introduce(console: Console, stack: "Stack") -> None:
    from schemas.topics import LOGS_RAW

    address, raw = stack.bootstrap, stack.settings.topics.name(LOGS_RAW)
    for line in (
        f"Kafka     {address}, lines go to topic {raw}",
        f"try       opspilot replay FILE --service NAME --kafka {address}",
        f"          opspilot tail --kafka {address}",
        f"logs      {stack.logs}/STAGE.log",
    ):
        console.print(line, markup=False)


def _watch(console: Console, stack: "Stack", stopping: threading.Event) -> None:
    """Show how the processes are until told to stop; raises OpsPilotError if one is given up."""
    if sys.stderr.isatty():
        with Live(_table(stack.status()), console=console, auto_refresh=False) as live:
            while not stopping.wait(REFRESH_SECONDS):
                live.update(_table(stack.status()), refresh=True)
                stack.check()
        return
    said: dict[str, str] = {}
    while True:
        for status in stack.status():
            sentence = _sentence(status)
            if said.get(status.name) != sentence:
                said[status.name] = sentence
                console.print(sentence, markup=False)
        stack.check()
        if stopping.wait(REFRESH_SECONDS):
            return


def _sentence(status: "WorkerStatus") -> str:
    metrics = f", metrics on http://127.0.0.1:{status.port}/metrics" if status.port else ""
    ended = f", last end: {status.last_exit}" if status.last_exit else ""
    restarts = f", {status.restarts} restarts" if status.restarts else ""
    return f"{status.name}: {status.state}{metrics}{restarts}{ended}"


def _table(statuses: "tuple[WorkerStatus, ...]") -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("process", "state", "pid", "metrics", "restarts", "last end"):
        table.add_column(title)
    for status in statuses:
        style = "green" if status.state.value == "ready" else "yellow"
        table.add_row(
            status.name,
            f"[{style}]{status.state}[/{style}]",
            str(status.pid or ""),
            f"127.0.0.1:{status.port}/metrics" if status.port else "",
            str(status.restarts),
            status.last_exit or "",
        )
    return table
