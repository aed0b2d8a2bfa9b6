"""`opspilot train`: one adapter, by hand, from a dataset.

Comes in: a dataset, a base, settings. Goes out: the adapter's folder with its card. Promise: the
folder appears whole; a run that was interrupted goes on when the same command is given again.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from streams.errors import InputError
from streams.settings import load_settings
from training.jobs import recipe_of
from training.lora.card import JSON_FILE, read_card
from training.lora.order import Order
from training.lora.run import train as run_training

if TYPE_CHECKING:
    from training.lora.loop import Step

app = typer.Typer()


@app.command()
def train(
    data: Annotated[Path, typer.Option(help="A dataset, as `opspilot dataset` makes them.")],
    out: Annotated[Path, typer.Option(help="Where the adapter is to be; must not exist.")],
    base: Annotated[
        str | None, typer.Option(help="A package, file, folder or name on the hub.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Times all is seen at most.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The number behind all chance.")] = None,
) -> None:
    """Train an adapter for the judge; settings OPSPILOT_TRAINING__* say how.

    Example: opspilot train --data data/ --out adapters/first
    """
    if out.exists():
        raise InputError(f"--out {out} exists: name a folder that does not")
    settings = load_settings()
    recipe = recipe_of(settings)
    recipe = replace(
        recipe,
        epochs=recipe.epochs if epochs is None else epochs,
        seed=recipe.seed if seed is None else seed,
    )
    order = Order(
        name=out.name,
        base=base or settings.training.base,
        data=data,
        out=out,
        work=out.with_name(f".{out.name}.work"),
        cache=settings.training.folder / "bases",
        recipe=recipe,
    )
    _train(order)
    shutil.rmtree(order.work, ignore_errors=True)
    card = read_card(out)
    held = card.training["validation_losses"]
    best = f", validation loss {min(held):.4f}" if held else ""
    typer.echo(
        f"{out}: best after epoch {card.training['best_epoch']} of {card.training['epochs']}"
        f"{best}, "
        f"{card.training['seconds']:.0f} s, {card.training['peak_memory_mib']:,} MiB at most; "
        f"all of it in {JSON_FILE}"
    )


def _train(order: Order) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("training", total=None)

        def report(step: "Step") -> None:
            said = f"epoch {step.epoch}, loss {step.loss:.3f}"
            progress.update(task, completed=step.step, total=step.steps, description=said)
            if step.validation_loss is not None:
                console.print(f"epoch {step.epoch}: validation loss {step.validation_loss:.4f}")

        run_training(order, report, lambda: False, console.print)
