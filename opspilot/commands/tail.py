"""`opspilot tail`: a result topic as it grows, readable or as JSON.

Comes in: a topic of the map. Goes out: one line per record, or a whole incident when it is new.
Promise: reads without a consumer group, so it takes nothing from anybody.
"""

import asyncio
from typing import Annotated

import typer
from aiokafka import ConsumerRecord
from pydantic import ValidationError

from opspilot.reading import TopicReader
from opspilot.render import headline, plain, result_console
from schemas.topics import INCIDENTS, TOPICS, Topic
from streams.delivery import decode, make_reader
from streams.errors import DecodeError, InputError
from streams.settings import Settings, load_settings

app = typer.Typer()


@app.command()
def tail(
    topic: Annotated[
        str, typer.Argument(help="incidents, classifications, remediations, findings, ...")
    ] = INCIDENTS.short,
    as_json: Annotated[bool, typer.Option("--json", help="The records as they are.")] = False,
    beginning: Annotated[
        bool, typer.Option("--from-beginning", help="What is there already, too.")
    ] = False,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many records.")] = None,
) -> None:
    """Follow a result topic until Ctrl-C.

    Example: opspilot tail remediations --json --from-beginning
    """
    settings = load_settings()
    short = topic.removeprefix(settings.topics.prefix)
    readable = [name for name, known in TOPICS.items() if known.records]
    if short not in readable:
        raise InputError(f"topic {topic!r} cannot be followed: choose one of {', '.join(readable)}")
    asyncio.run(_follow(settings, TOPICS[short], as_json, beginning, count))


async def _follow(
    settings: Settings, topic: Topic, as_json: bool, beginning: bool, count: int | None
) -> None:
    console = result_console()
    reader = make_reader(topic.records)
    seen = 0
    async with TopicReader(settings.kafka, [settings.topics.name(topic)]) as source:
        if not beginning:
            await source.seek_to_end()
        async for message in source.follow():
            if message.value is None:
                continue
            if as_json:
                typer.echo(message.value.decode("utf-8", "replace"))
            else:
                console.print(_line(message, reader))
            seen += 1
            if count is not None and seen >= count:
                return


def _line(message: ConsumerRecord, reader: object) -> object:
    try:
        record = decode(message.value, reader)  # type: ignore[arg-type]
    except (DecodeError, ValidationError) as error:
        return plain(f"{message.partition}/{message.offset} cannot be read: {error}", "red")
    assert record is not None
    return headline(record)
