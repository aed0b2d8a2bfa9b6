"""`opspilot submit`: an incident in a person's own words.

Comes in: a service, a description, perhaps a file of lines. Goes out: a finding of kind `reported`,
and the id of the incident that it opens. Promise: redacted before it leaves this machine.
"""

import asyncio
import getpass
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from aiokafka.errors import KafkaError

from opspilot.logfiles import LogFile, check_readable, parse_service, read_lines
from opspilot.reporting import incident_id, make_report
from schemas.envelope import cloud_event_headers
from schemas.finding import Finding
from schemas.topics import FINDINGS
from streams.admin import check_topics
from streams.clock import now_ms
from streams.errors import BrokerError, InputError
from streams.ingest.redact import Redactor
from streams.kafka import make_producer, started
from streams.settings import Settings, load_settings

app = typer.Typer()

MAX_LINES = 10_000


@app.command()
def submit(
    description: Annotated[str, typer.Argument(help="What is wrong, in your own words.")],
    service: Annotated[str, typer.Option(help="Which service it is about.")],
    lines: Annotated[Path | None, typer.Option(help="A file of log lines that show it.")] = None,
    reported_by: Annotated[
        str | None, typer.Option("--by", help="Who reports it; by default your login.")
    ] = None,
) -> None:
    """Report an incident; it is classified and gets a plan like any other.

    Example: opspilot submit "Customers cannot pay by card" --service checkout --lines errors.log
    """
    if not description.strip():
        raise InputError("the description is empty: say in a sentence what is wrong")
    identity = parse_service(service)
    shown: list[str] = []
    if lines is not None:
        check_readable(lines)
        file = LogFile(lines, identity)
        shown = [line.text for line in islice(read_lines(file), MAX_LINES)]
    settings = load_settings()
    redactor = Redactor(redact_ips=settings.ingest.redact_ips)
    finding = make_report(identity, description, shown, now_ms(), redactor, reported_by or _login())
    asyncio.run(_publish(settings, finding))
    typer.echo(incident_id(finding))


def _login() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return None


async def _publish(settings: Settings, finding: Finding) -> None:
    await check_topics(settings, [FINDINGS])
    headers = cloud_event_headers(
        finding, source="submit", event_id=finding.id, time_ms=finding.last_ms
    )
    producer = make_producer(settings.kafka)
    async with started(producer, settings.kafka):
        try:
            await producer.send_and_wait(
                settings.topics.name(FINDINGS),
                key=finding.service.encode(),
                value=finding.to_bytes(),
                headers=headers,
            )
        except KafkaError as error:
            raise BrokerError(f"Kafka refused the report: {error}") from None
