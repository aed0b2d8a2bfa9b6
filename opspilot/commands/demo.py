"""`opspilot demo`: a pipeline of its own in a temporary folder, fed with logs, and what it found.

Comes in: log files, by default a sample with eight faults. Goes out: incidents with verdict and
plan, then the ledger. Promise: progress goes to the error stream, results alone to the other; exit
status 0 only when every line is accounted for.
"""

import asyncio
import json
import signal
import tempfile
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from opspilot.commands.replay import send_files
from opspilot.commands.up import ModelName
from opspilot.logfiles import LogFile, parse_sources
from opspilot.progress import Narrator

if TYPE_CHECKING:
    from schemas.services import ServiceInfo
    from streams.settings import Settings

app = typer.Typer()

READY_SECONDS = 120.0
PIPE_COLUMNS = 120


@app.command()
def demo(
    logs: Annotated[
        list[str] | None,
        typer.Option(help="A log file, or SERVICE=FILE; repeat it, or name more files after it."),
    ] = None,
    files: Annotated[list[str] | None, typer.Argument(help="More log files.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per record on standard output.")
    ] = False,
    keep: Annotated[
        Path | None, typer.Option(help="Keep data and logs in this folder; by default none stay.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1.0, help="Give up when nothing moves for so many seconds.")
    ] = 60.0,
    model: Annotated[
        ModelName | None,
        typer.Option(help="Start a small language model on this machine and have it judge."),
    ] = None,
) -> None:
    """Replay logs through a pipeline of its own and print the incidents, then the ledger.

    Without --logs it writes a sample of five services with eight faults over two hours.

    Example: opspilot demo --logs /var/log/nginx/error.log checkout=app.log
    """
    # An end from outside must tidy up as Ctrl-C does: no folder, no process may stay.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    local_model = model is not None
    with Narrator() as narrator:
        narrator.say("OpsPilot demo: a Kafka and every stage of the pipeline, on this machine")
        sources = parse_sources([*(logs or ()), *(files or ())])
        if keep is not None:
            _run(keep, sources, as_json, timeout, narrator, local_model)
            return
        with tempfile.TemporaryDirectory(prefix="opspilot-demo-") as folder:
            _run(Path(folder), sources, as_json, timeout, narrator, local_model)


def _run(
    folder: Path,
    sources: list[LogFile],
    as_json: bool,
    timeout: float,
    narrator: Narrator,
    local_model: bool,
) -> None:
    # Imported late: the first line is on the screen before the pipeline's modules are loaded.
    from opspilot.sample.scenario import ABOUT, FAULTS, SERVICES, write_sample
    from opspilot.settling import settle
    from opspilot.stack import StackPlan, named_kafka, running_stack

    kafka = named_kafka()
    # On a Kafka of somebody else's the demo keeps to topics of its own.
    prefix = f"opspilot-demo-{uuid.uuid4().hex[:8]}." if kafka else None
    plan = StackPlan(folder, kafka=kafka, prefix=prefix, local_model=local_model)
    with running_stack(plan, narrator.say) as stack:
        if not sources:
            samples = folder / "sample"
            samples.mkdir(exist_ok=True)
            sources = [LogFile(p, f"default/default/{s}") for s, p in write_sample(samples).items()]
            asyncio.run(_introduce(stack.settings, ABOUT))
            narrator.say(f"a sample of {len(SERVICES)} services with {len(FAULTS)} faults in it")
        sent = send_files(stack.settings, sources)
        narrator.say(f"{sent.lines:,} lines sent to Kafka at {stack.bootstrap}")
        narrator.say("the stages start")
        stack.supervisor.wait_ready(READY_SECONDS)
        narrator.say("every stage is at work")
        settled = asyncio.run(settle(stack.settings, timeout, narrator.step, stack.check))
        narrator.say(f"done: {len(settled.results.standing)} incidents")
    _print(settled.balance, settled.results, as_json)
    settled.balance.require()


async def _introduce(settings: "Settings", services: "Iterable[ServiceInfo]") -> None:
    """Say on the services topic who owns the sample's services and where they run."""
    from schemas.topics import SERVICES
    from streams.kafka import make_producer, started

    async with started(make_producer(settings.kafka), settings.kafka) as producer:
        for info in services:
            await producer.send_and_wait(
                settings.topics.name(SERVICES), key=info.service.encode(), value=info.to_bytes()
            )


def _print(balance: object, results: object, as_json: bool) -> None:
    from agents.logic.accounting import Balance
    from opspilot.render import ledger_records, render_incidents, render_ledger, result_records
    from opspilot.results import Results

    assert isinstance(balance, Balance)
    assert isinstance(results, Results)
    if as_json:
        for record in result_records(results):
            typer.echo(record.to_bytes().decode())
        for entry in ledger_records(balance):
            typer.echo(json.dumps(entry))
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_COLUMNS
    render_incidents(console, results)
    console.print()
    render_ledger(console, balance)
