"""The `opspilot` command: finds the sub-command, runs it, and turns errors into one sentence.

Comes in: the command line. Goes out: an exit status. Promise: a person's mistake never shows a
traceback; only the called command's modules are imported, so the first line comes at once.
"""

import importlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import typer
import typer.core
import typer.main

from streams.errors import ConfigurationError, OpsPilotError

COMMANDS = {
    "up": "Run the whole pipeline on this machine.",
    "demo": "See it work: replay logs through a pipeline of its own, print the incidents.",
    "replay": "Send the lines of log files to Kafka.",
    "submit": "Report an incident in your own words.",
    "feedback": "Say what is right or wrong with a verdict; erase a person's words.",
    "investigate": "Look into an incident with read-only tools; say what caused it.",
    "tail": "Follow a result topic.",
    "judge": "Judge lines without Kafka.",
    "services": "Say who owns a service, where it runs and what it needs.",
    "templates": "Print the templates of a log file.",
    "ledger": "Account for every line received.",
    "dead-letters": "List, show and replay what could not be processed.",
    "topics": "Create, list and describe the topics.",
    "worker": "Run one stage of the pipeline.",
    "train": "Train an adapter from a dataset.",
    "trainer": "Train whenever drift asks for it.",
    "eval": "Measure the judge on labelled lines.",
    "dataset": "Make and check what adapters learn from.",
    "models": "List, show, promote and roll back trained adapters.",
    "generate": "Write the part of docs/ that is a function of the code.",
    "doctor": "Say what is missing or wrong on this machine, and how to mend it.",
}
WITHOUT_KAFKA = frozenset({"judge", "templates", "eval", "generate"})
KAFKA_VARIABLE = "OPSPILOT_KAFKA__BOOTSTRAP"
KAFKA_HINT = "--kafka HOST:PORT uses a Kafka that runs already."
INTERRUPTED_STATUS = 130
_COMPLETION_PARAMETERS = frozenset({"install_completion", "show_completion"})


class _LazyGroup(typer.core.TyperGroup):
    """Imports a command's module when the command is asked for."""

    # Typer carries its own copy of click, whose types have no public name: hence Any.
    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"opspilot.commands.{cmd_name.replace('-', '_')}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        command.params = [p for p in command.params if p.name not in _COMPLETION_PARAMETERS]
        _say_alike(command, None if cmd_name in WITHOUT_KAFKA else KAFKA_HINT)
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        # From the table, not from the modules: a help page must not import the whole pipeline.
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _say_alike(command: Any, hint: str | None) -> None:
    """Have help pages of a command and those below it look alike: no frames, the same last line."""
    command.rich_markup_mode = None
    command.epilog = hint
    for child in getattr(command, "commands", {}).values():
        _say_alike(child, hint)


app = typer.Typer(
    cls=_LazyGroup,
    add_completion=False,
    rich_markup_mode=None,
    help=(
        "Log lines go in through Kafka; incidents come out, each with a plan.\n\n"
        "Every command that speaks to Kafka takes --kafka HOST:PORT; other settings are "
        "environment variables OPSPILOT_SECTION__NAME.\n\n"
        "Example: opspilot demo"
    ),
)


@app.callback()
def _root() -> None:
    """Hold the options that all commands share; there are none besides --kafka."""


def take_kafka(arguments: Sequence[str]) -> list[str]:
    """Move `--kafka ADDRESS`, wherever it stands, into the environment; return the rest."""
    rest: list[str] = []
    pending = iter(arguments)
    for argument in pending:
        if argument == "--":
            return [*rest, argument, *pending]
        if argument == "--kafka":
            address = next(pending, "")
        elif argument.startswith("--kafka="):
            address = argument.partition("=")[2]
        else:
            rest.append(argument)
            continue
        if not address or address.startswith("-"):
            raise ConfigurationError("--kafka needs an address, such as --kafka localhost:9092")
        from opspilot.local.resolve import parse_bootstrap

        parse_bootstrap(address)
        os.environ[KAFKA_VARIABLE] = address
    return rest


def main() -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit status."""
    # What the client library would print on its own is said again, in one sentence, by our errors.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        command = typer.main.get_command(app)
        given = take_kafka(arguments) or ["--help"]
        status = command.main(given, prog_name="opspilot", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED_STATUS
    except typer.Exit as stop:
        return stop.exit_code
    except typer.TyperException as error:
        # Typer has no public name for "a group was called without a command: here is its help".
        is_help = type(error).__name__ == "NoArgsIsHelpError"
        sys.stderr.write(error.format_message() if is_help else f"opspilot: {_usage(error)}\n")
        return error.exit_code
    except OpsPilotError as error:
        sys.stderr.write(f"opspilot: {error}\n")
        return error.exit_status
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does: that is its right.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
        return 0
    return status if isinstance(status, int) else 0


def _usage(error: typer.TyperException) -> str:
    """Say what is wrong with the command line, and where its help is."""
    message = error.format_message().replace("Value error, ", "").replace("Input should", "must")
    sentence = " ".join(message.partition(", unable to parse")[0].split()).rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "opspilot"
    return f"{sentence[:1].lower()}{sentence[1:]}; see `{path} --help`"
