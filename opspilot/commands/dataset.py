"""`opspilot dataset`: makes and checks what adapters are trained and tested on.

Comes in: this project's events, a number; or what people said in Kafka. Goes out: a folder with a
file per split. Promise: the same number gives the same files; nothing that leaks or tells of people
is written.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from agents.logic.judging.classifier import load_classifier
from agents.logic.windows.grading import Grader
from agents.prompt_files import load_prompt
from streams.errors import InputError
from streams.settings import load_settings
from training.corpus import digest_of, load_events
from training.dataset.building import combine_examples
from training.dataset.canaries import load_canaries
from training.dataset.collecting import collect
from training.dataset.corrections import correction_examples
from training.dataset.examples import Example, Split
from training.dataset.folder import (
    counts_of,
    read_dataset,
    scan_dataset,
    write_dataset,
)
from training.dataset.splits import split_events
from training.dataset.synthesis import Amounts, synthesise
from training.dataset.yardstick import write_yardstick

app = typer.Typer(
    no_args_is_help=True,
    help="Make and check what adapters learn from.\n\nExample: opspilot dataset generate data/",
)
Folder = Annotated[Path, typer.Argument(help="Where the dataset is to be, or is.")]
Count = Annotated[int, typer.Option(min=6, help="Examples of this split, six categories alike.")]


@app.command()
def generate(
    folder: Folder,
    seed: Annotated[int, typer.Option(help="The number that decides everything.")] = 1,
    train: Count = 900,
    validation: Count = 120,
    test: Count = 300,
    yardstick: Annotated[
        bool, typer.Option(help="Also fit the baseline without what is tested: 1-2 minutes.")
    ] = True,
) -> None:
    """Make synthetic incidents with their right answers, split so that nothing leaks.

    Example: opspilot dataset generate data/ --seed 7
    """
    events, template = load_events(), load_prompt("classify")
    grader = Grader(load_classifier())
    amounts = Amounts(train, validation, test)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("making examples", total=train + validation + test)
        made = synthesise(events, template, grader, seed, amounts, lambda _: progress.advance(task))
    examples = combine_examples([], made, load_canaries(template, grader))
    facts = {
        "kind": "synthetic",
        "seed": seed,
        "events_sha256": digest_of(events),
        "prompt": template.version,
        "license": "Apache-2.0",
    }
    digest = write_dataset(folder, examples, facts)
    if yardstick:
        typer.echo("fitting the baseline without what is tested")
        write_yardstick(folder, split_events(events, seed)[Split.TRAIN])
    _tell(folder, examples, digest)


@app.command()
def build(
    folder: Folder,
    replay: Annotated[
        Path, typer.Option(help="A dataset made by `generate`, mixed in against forgetting.")
    ],
) -> None:
    """Make a dataset of what people corrected in Kafka, and of synthetic incidents.

    Example: opspilot dataset build learnt/ --replay data/
    """
    settings = load_settings()
    template, classifier = load_prompt("classify"), load_classifier()
    collected = asyncio.run(collect(settings))
    corrections = correction_examples(
        collected.words,
        collected.verdicts,
        classifier,
        template,
        Grader(classifier),
        single_person=settings.feedback.single_person,
    )
    synthetic = read_dataset(replay)
    canaries = [example for example in synthetic if example.split is Split.CANARY]
    rest = [example for example in synthetic if example.split is not Split.CANARY]
    examples = combine_examples(corrections, rest, canaries)
    learnt = sum(example.family.startswith("feedback ") for example in examples)
    facts = {
        "kind": "feedback and replay",
        "words": len(collected.words),
        "words_left_out": collected.left_out,
        "examples_of_feedback": learnt,
        "prompt": template.version,
    }
    digest = write_dataset(folder, examples, facts)
    _keep_yardstick(replay, folder)
    typer.echo(
        f"{len(collected.words)} words gave {learnt} examples; {collected.left_out} words could "
        "not be used (no verdict, or a wrong signature)"
    )
    _tell(folder, examples, digest)


@app.command()
def check(folder: Folder) -> None:
    """Fail if a dataset leaks between its splits, or holds people or secrets.

    Example: opspilot dataset check data/
    """
    scan_dataset(folder)
    examples = read_dataset(folder)
    if not any(example.split is Split.CANARY for example in examples):
        raise InputError(f"{folder} has no canaries: make it by `opspilot dataset generate`")
    typer.echo(f"{folder}: {len(examples)} examples, nothing leaks, nothing tells of people")


def _keep_yardstick(source: Path, target: Path) -> None:
    from training.dataset.yardstick import ARRAYS, DESCRIPTION

    for name in (ARRAYS, DESCRIPTION):
        if (source / name).is_file():
            (target / name).write_bytes((source / name).read_bytes())


def _tell(folder: Path, examples: list[Example], digest: str) -> None:
    for split, counts in counts_of(examples).items():
        named = ", ".join(f"{name} {count}" for name, count in counts.items())
        typer.echo(f"{split}: {sum(counts.values())} ({named})" if counts else f"{split}: none")
    typer.echo(f"{folder}: sha256 {digest}")
