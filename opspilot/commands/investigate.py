"""`opspilot investigate`: looks into one incident, with a model where one is configured.

Comes in: an incident id, a budget. Goes out: steps as they are taken, then what follows from them.
Promise: nothing is changed but the incident's investigation; what stands in a log line is printed
as it is, never as control codes.
"""

import asyncio
from typing import Annotated, Any

import typer
from rich.console import Console, Group

from agents.logic.investigation.inquiry import Budget, with_budget
from opspilot.investigating import investigate_incident
from opspilot.render import below, indented, moment, plain, result_console
from schemas.investigation import Investigation, InvestigationStep
from streams.settings import load_settings

app = typer.Typer()
_SHOWN_ROWS = 4


@app.command()
def investigate(
    incident_id: Annotated[str, typer.Argument(help="The incident, as `tail` or `demo` names it.")],
    again: Annotated[
        bool, typer.Option("--again", help="Even where this revision was looked into already.")
    ] = False,
    steps: Annotated[int | None, typer.Option(min=1, max=32, help="Most uses of tools.")] = None,
    seconds: Annotated[float | None, typer.Option(min=1, max=3_600, help="Most time.")] = None,
    tokens: Annotated[int | None, typer.Option(min=1_000, help="Most tokens of a model.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The record as it is.")] = False,
) -> None:
    """Look into an incident with tools that only read, and say what most probably caused it.

    A recorded investigation of the incident's present revision is shown again.

    Example: opspilot investigate 5f0c1d2e3a4b5c6d --steps 6
    """
    settings = load_settings()
    progress = Console(stderr=True, highlight=False)

    def tell(step: InvestigationStep) -> None:
        if progress.is_terminal:
            progress.print(plain(f"step {step.number}: {_asked(step)}", "dim"))

    budget = with_budget(Budget(), steps=steps, seconds=seconds, tokens=tokens)
    record = asyncio.run(
        investigate_incident(settings, incident_id, again=again, budget=budget, on_step=tell)
    )
    if as_json:
        typer.echo(record.to_bytes().decode())
    else:
        result_console().print(render(record))


def render(record: Investigation) -> Group:
    """Return one investigation: its steps, then what follows."""
    parts: list[Any] = [plain(record.title, "bold")]
    for step in record.steps:
        parts.append(below(plain(f"{step.number}. {_asked(step)}")))
        if step.thought:
            parts.append(indented(plain(step.thought, "italic"), 3))
        style = "red" if step.fault else ""
        parts.append(indented(plain(step.fault or step.observation, style), 3))
        parts += [indented(plain(row, "dim"), 5) for row in step.rows[:_SHOWN_ROWS]]
    parts.append(below(plain(record.conclusion, "bold")))
    based = ", ".join(map(str, record.basis)) or "none"
    parts.append(plain(f"Probable cause: {record.probable_cause}"))
    parts.append(plain(f"Carried by steps {based}; confidence {record.confidence:.2f}."))
    if record.next_actions:
        parts.append(plain("Next:"))
        parts += [indented(plain(f"- {action}"), 2) for action in record.next_actions]
    parts.append(below(plain(_who(record), "dim")))
    return Group(*parts)


def _asked(step: InvestigationStep) -> str:
    arguments = ", ".join(f"{name} {value}" for name, value in step.arguments.items())
    return f"{step.tool or 'no tool'}{f' ({arguments})' if arguments else ''}"


def _who(record: Investigation) -> str:
    judge = record.judge
    because = f" ({judge.fallback_reason})" if judge.fallback_reason else ""
    ended = record.ended.value.replace("_", " ")
    return (
        f"Revision {record.revision}, {moment(record.at_ms)} UTC, by {judge.backend} "
        f"{judge.model}{because}: {ended}, {record.tokens} tokens, {record.latency_ms / 1000:.1f} s"
    )
