"""`opspilot ledger`: where every line went.

Comes in: the ledger topic and the raw partitions' ends. Goes out: the balance, per raw partition
and in total. Promise: exit status 1, and the place named, where a line is missing or doubled.
"""

import asyncio
import json
from typing import Annotated

import typer

from agents.logic.accounting import Balance
from opspilot.accounting import LedgerReader
from opspilot.render import ledger_records, render_ledger, result_console
from streams.clock import monotonic_ms
from streams.settings import Settings, load_settings

app = typer.Typer()

POLL_SECONDS = 0.5


@app.command()
def ledger(
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for lines that are on their way.")
    ] = 15.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per line of the ledger.")
    ] = False,
) -> None:
    """Account for every line: received = counted + late + dead-lettered; expired ones apart.

    Exit status 1 where it does not balance. Lines keep coming on a live system: those that ingest
    has digested and analyze has not yet counted are waited for.

    Example: opspilot ledger --kafka localhost:9092
    """
    settings = load_settings()
    found = asyncio.run(settled_balance(settings, wait))
    if as_json:
        for record in ledger_records(found):
            typer.echo(json.dumps(record))
    else:
        render_ledger(result_console(), found)
    found.require()


async def settled_balance(settings: Settings, wait_seconds: float) -> Balance:
    """Read the balance until nothing is in flight, or the time is over."""
    overdue_ms = monotonic_ms() + int(wait_seconds * 1000)
    async with LedgerReader(settings) as reader:
        while True:
            found = await reader.read()
            if (found.balanced and not found.unread) or monotonic_ms() >= overdue_ms:
                return found
            await asyncio.sleep(POLL_SECONDS)
