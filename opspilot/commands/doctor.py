"""`opspilot doctor`: what is missing or wrong on this machine, and how to mend it.

Comes in: this machine and the settings. Goes out: one line per thing looked at. Promise: changes
nothing; exit status 1 when anything is wrong.
"""

import typer
from rich.text import Text

from opspilot.checks import run_checks
from opspilot.render import result_console
from opspilot.stack import named_kafka
from streams.errors import ConfigurationError
from streams.settings import load_settings

app = typer.Typer()


@app.command()
def doctor() -> None:
    """Look at Python, Java, Kafka, topics, disk, ports, the judge and the runbooks.

    Example: opspilot doctor --kafka localhost:9092
    """
    console = result_console()
    checked = run_checks(load_settings(), named_kafka() is not None)
    for one in checked:
        mark = Text("ok   ", style="green") if one.fine else Text("WRONG", style="bold red")
        console.print(mark, Text(f"{one.name:<11} {one.said}"))
    wrong = [one.name for one in checked if not one.fine]
    if wrong:
        raise ConfigurationError(f"{len(wrong)} of {len(checked)} are wrong: {', '.join(wrong)}")
