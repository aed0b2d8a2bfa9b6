"""`opspilot dead-letters`: what could not be processed: listed, shown, sent again.

Comes in: the dead-letters topic. Goes out: redacted text, or the untouched messages back to their
source with a mark. Promise: nothing is removed; the ledger counts what comes back apart.
"""

import asyncio
from collections import Counter
from typing import Annotated

import typer
from aiokafka.errors import KafkaError
from rich.table import Table

from opspilot.reading import TopicReader
from opspilot.render import plain, result_console
from opspilot.setaside import SetAside, choose, read_letters, shown
from schemas.topics import DEAD_LETTERS
from streams.errors import BrokerError, InputError
from streams.ingest.redact import Redactor
from streams.kafka import make_producer, started
from streams.settings import Settings, load_settings

app = typer.Typer(
    help="List, show and replay what could not be processed.\n\nExample: opspilot dead-letters list"
)


@app.command("list")
def list_letters(
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest.")] = 50,
) -> None:
    """List the dead letters: where from, which stage, why.

    Example: opspilot dead-letters list --limit 100
    """
    settings = load_settings()
    letters = asyncio.run(_read(settings))
    redactor = _redactor(settings)
    console = result_console()
    if not letters:
        console.print("no dead letters")
        return
    table = Table(box=None, pad_edge=False)
    for title in ("place", "stage", "reason", "time", "message"):
        table.add_column(title, overflow="fold", no_wrap=title == "place")
    for letter in letters[-limit:]:
        message = redactor.redact(letter.message)
        table.add_row(
            *(plain(t) for t in (letter.place, letter.stage, letter.reason, letter.time, message))
        )
    console.print(table)
    counts = Counter(letter.reason for letter in letters)
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in counts.most_common())
    console.print(plain(f"{len(letters):,} in all: {reasons}"))


@app.command()
def show(place: Annotated[str, typer.Argument(help="TOPIC/PARTITION/OFFSET")]) -> None:
    """Show one dead letter, redacted.

    Example: opspilot dead-letters show opspilot.logs.raw/0/4711
    """
    settings = load_settings()
    letter = choose(asyncio.run(_read(settings)), [place])[0]
    redactor = _redactor(settings)
    console = result_console()
    rows = {
        "place": letter.place,
        "stage": letter.stage,
        "reason": letter.reason,
        "message": redactor.redact(letter.message),
        "time": letter.time,
        "key": shown(letter.key, redactor),
        **{f"header {name}": shown(value, redactor) for name, value in letter.headers},
        "value": shown(letter.value, redactor),
    }
    for name, text in rows.items():
        console.print(plain(f"{name}: {text}"))


@app.command()
def replay(
    places: Annotated[list[str] | None, typer.Argument(help="TOPIC/PARTITION/OFFSET ...")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
) -> None:
    """Send dead letters back to the topic they came from, once what was wrong is mended.

    They stay in the dead letters; a second replay sends them a second time.

    Example: opspilot dead-letters replay opspilot.logs.raw/0/4711
    """
    if bool(places) == everything:
        raise InputError("name the dead letters to replay, or use --all for all of them")
    settings = load_settings()
    letters = asyncio.run(_read(settings))
    chosen = letters if everything else choose(letters, places or [])
    asyncio.run(_send_back(settings, chosen))
    typer.echo(f"{len(chosen):,} dead letters sent back")


def _redactor(settings: Settings) -> Redactor:
    return Redactor(redact_ips=settings.ingest.redact_ips)


async def _read(settings: Settings) -> list[SetAside]:
    async with TopicReader(settings.kafka, [settings.topics.name(DEAD_LETTERS)]) as reader:
        return read_letters(await reader.read_to_end())


async def _send_back(settings: Settings, letters: list[SetAside]) -> None:
    producer = make_producer(settings.kafka)
    async with started(producer, settings.kafka):
        for letter in letters:
            try:
                partitions = await producer.partitions_for(letter.topic)
                # The same partition, so that its order among its neighbours stays.
                partition = letter.partition if letter.partition in partitions else None
                await producer.send_and_wait(
                    letter.topic,
                    key=letter.key,
                    value=letter.value,
                    partition=partition,
                    headers=letter.replay_headers(),
                )
            except KafkaError as error:
                raise BrokerError(f"{letter.place} could not be sent back: {error}") from None
