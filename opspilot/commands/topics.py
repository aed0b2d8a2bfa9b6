"""`opspilot topics`: create what is missing, list what there is, describe what it is for.

Comes in: settings and the topic map. Goes out: topics, or the rights that they need. Promise: a
topic that exists with other settings is named, never changed.
"""

import asyncio
from typing import Annotated

import typer
from rich.table import Table

from opspilot.acls import acl_commands
from opspilot.render import result_console
from schemas.topics import TOPICS, Topic
from streams.admin import create_topics, describe_topics, find_differences
from streams.errors import TopicError
from streams.kafka import make_admin, started
from streams.settings import Settings, load_settings

app = typer.Typer(help="Create, list and describe the topics.\n\nExample: opspilot topics create")

DAY_MS = 86_400_000
HOUR_MS = 3_600_000


@app.command()
def create(
    acls: Annotated[
        bool,
        typer.Option("--acls", help="Print the rights that each stage needs; create nothing."),
    ] = False,
) -> None:
    """Create every topic that is missing, changelogs included.

    With --acls: print them as kafka-acls commands for an administrator, one user per stage.

    Example: opspilot topics create --kafka kafka-1:9092
    """
    settings = load_settings()
    if acls:
        for line in acl_commands(settings):
            typer.echo(line)
        return
    created = asyncio.run(create_topics(settings))
    for name in created:
        typer.echo(f"created {name}")
    typer.echo(f"{len(created)} created, {len(TOPICS) - len(created)} were there already")


@app.command("list")
def list_topics() -> None:
    """List the topics of the map, and whether each is there as it must be.

    Exit status 1 where one is missing or differs.

    Example: opspilot topics list --kafka localhost:9092
    """
    settings = load_settings()
    problems = asyncio.run(_problems(settings))
    table = Table(box=None, pad_edge=False)
    for title in ("topic", "partitions", "state"):
        table.add_column(title)
    for topic in TOPICS.values():
        name = settings.topics.name(topic)
        wrong = [p for p in problems if p.startswith(f"topic {name} ")]
        state = "missing" if any(" is missing" in p for p in wrong) else "differs"
        table.add_row(name, str(settings.topics.partitions(topic)), state if wrong else "ok")
    result_console().print(table)
    if problems:
        raise TopicError("; ".join(problems))


@app.command()
def describe() -> None:
    """Say what each topic is for, its key, and how long its records are kept.

    Example: opspilot topics describe
    """
    settings = load_settings()
    described = {topic["name"]: topic for topic in asyncio.run(describe_topics(settings))}
    console = result_console()
    for topic in TOPICS.values():
        name = settings.topics.name(topic)
        found = described.get(name)
        console.print(f"[bold]{name}[/bold]" + ("" if found else "  [red](missing)[/red]"))
        console.print(f"  {topic.what}", markup=False)
        console.print(f"  key: {topic.key}", markup=False)
        if topic.records:
            console.print(f"  records: {', '.join(r.__name__ for r in topic.records)}")
        partitions = found["partitions"] if found else settings.topics.partitions(topic)
        console.print(f"  {partitions} partitions, {topic.cleanup.value}, kept {_kept(topic)}")


async def _problems(settings: Settings) -> list[str]:
    async with started(make_admin(settings.kafka), settings.kafka) as admin:
        return await find_differences(admin, settings)


def _kept(topic: Topic) -> str:
    if topic.retention_ms < 0:
        return "for ever"
    if topic.retention_ms % DAY_MS == 0:
        return f"{topic.retention_ms // DAY_MS} d"
    return f"{topic.retention_ms // HOUR_MS} h"
