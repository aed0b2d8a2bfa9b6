"""`opspilot eval`: measures what the pipeline decides against labelled data; needs no Kafka.

Comes in: files with labels, or the sets of this project. Goes out: tables, each beside the
yardstick that it must beat. Promise: nothing is trained or tuned here; a model is asked only where
one is named.
"""

import asyncio
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from agents.logic.inspection import Inspector
from agents.logic.judging.classifier import load_classifier
from agents.nearness import make_nearness
from agents.runbook_files import load_library
from opspilot.evaluating.classification import classification_figures
from opspilot.evaluating.commands import command_figures
from opspilot.evaluating.detection import detection_figures
from opspilot.evaluating.figures import Figures, show
from opspilot.evaluating.grouping import grouping_figures
from opspilot.evaluating.injection import injection_figures, try_all
from opspilot.evaluating.report import fill
from opspilot.evaluating.runbooks import choices, read_worded, runbook_figures
from opspilot.evaluating.servers import make_judgement
from opspilot.logfiles import whole_lines
from schemas.vocabulary import Category
from streams.errors import InputError
from streams.modelsettings import BackendName
from streams.settings import load_settings
from training.evaluation.commands import read_commands
from training.evaluation.detection import read_bags
from training.evaluation.injection import read_attempts
from training.evaluation.items import read_items

app = typer.Typer(
    no_args_is_help=True,
    help="Measure the judge on labelled lines.\n\nExample: opspilot eval detection windows.jsonl",
)

BackendOption = Annotated[
    BackendName, typer.Option("--backend", help="Who judges; a server stands beside the baseline.")
]
UrlOption = Annotated[str | None, typer.Option("--url", help="Where the model server is.")]
ModelOption = Annotated[str | None, typer.Option("--model", help="The model's name there.")]
AdapterOption = Annotated[str | None, typer.Option("--adapter", help="An adapter to ask.")]
SetArgument = Annotated[
    Path | None, typer.Argument(help="A YAML file of the same form; without: this project's own.")
]
PATIENT_SECONDS = 120.0
"""A plan waits for no server that long; what is found by meaning is to be measured here."""
BLIND = "injections_blind.yaml"
"""Attempts by somebody who did not know what they are held off by."""


@app.command()
def classification(
    file: Annotated[Path, typer.Argument(help="JSON lines: system, examples, category, ...")],
    backend: BackendOption = BackendName.BASELINE,
    url: UrlOption = None,
    model: ModelOption = None,
    adapter: AdapterOption = None,
) -> None:
    """Measure category, severity, confidence, latency and tokens, of a model beside the baseline.

    Example: opspilot eval classification labelled.jsonl
    """
    show(_classification(file, backend, url, model, adapter))


@app.command()
def detection(
    file: Annotated[Path, typer.Argument(help="JSON lines: system, lines, is_incident.")],
) -> None:
    """Measure whether windows of lines are told to be incidents or not.

    Example: opspilot eval detection windows.jsonl
    """
    show(_detection(file))


@app.command()
def grouping(
    folder: Annotated[Path, typer.Argument(help="A folder with LogHub's SYSTEM/*_2k files.")],
) -> None:
    """Measure how well lines are grouped into templates, beside drain3 where it is installed.

    Example: opspilot eval grouping loghub/
    """
    show(grouping_figures(folder))


@app.command()
def injection(
    file: SetArgument = None,
    backend: BackendOption = BackendName.BASELINE,
    url: UrlOption = None,
    model: ModelOption = None,
    adapter: AdapterOption = None,
) -> None:
    """Measure how far text in log lines moves category, severity and plan, beside harmless text.

    Example: opspilot eval injection
    """
    show(_injection(file, backend, url, model, adapter))


@app.command()
def commands(file: SetArgument = None) -> None:
    """Measure what the command policy says of destructive, changing and harmless commands.

    Example: opspilot eval commands
    """
    show(_commands(file))


@app.command()
def runbooks(file: SetArgument = None) -> None:
    """Measure which runbook is found for lines in other words than its own.

    By words, and by meaning where OPSPILOT_JUDGE__EMBEDDINGS_URL names a server.

    Example: opspilot eval runbooks
    """
    show(_runbooks(file))


@app.command()
def report(
    out: Annotated[Path, typer.Option("--out", help="The Markdown file to bring up to date.")],
    labelled: Annotated[
        Path | None, typer.Option("--classification", help="As for eval classification.")
    ] = None,
    windows: Annotated[
        Path | None, typer.Option("--detection", help="As for eval detection.")
    ] = None,
    loghub: Annotated[Path | None, typer.Option("--grouping", help="As for eval grouping.")] = None,
    backend: BackendOption = BackendName.BASELINE,
    url: UrlOption = None,
    model: ModelOption = None,
    adapter: AdapterOption = None,
) -> None:
    """Write the measured parts of docs/evals.md anew; a part without data stays as it is.

    Example: opspilot eval report --out docs/evals.md --detection windows.jsonl
    """
    text = _read_text(out)
    asked = "" if backend is BackendName.BASELINE else f" --backend {backend} --url URL"
    parts = {
        "commands": ("opspilot eval commands", _commands(None)),
        "injection": (
            f"opspilot eval injection{asked}", _injection(None, backend, url, model, adapter)
        ),
        "injection-blind": (
            f"opspilot eval injection training/evaluation/sets/{BLIND}{asked}",
            _injection(None, backend, url, model, adapter, BLIND),
        ),
    }  # fmt: skip
    if labelled is not None:
        tables = _classification(labelled, backend, url, model, adapter)
        parts["classification"] = f"opspilot eval classification FILE{asked}", tables
    if windows is not None:
        parts["detection"] = "opspilot eval detection FILE", _detection(windows)
    if loghub is not None:
        parts["grouping"] = "opspilot eval grouping FOLDER", grouping_figures(loghub)
    for name, (command, tables) in parts.items():
        text = fill(text, name, command, tables)
    out.write_text(text, encoding="utf-8")


def _classification(
    file: Path, backend: BackendName, url: str | None, model: str | None, adapter: str | None
) -> list[Figures]:
    lines = [line.decode("utf-8", "replace") for line in whole_lines(file)]
    items = read_items(lines, file.name)
    asked, said = None, dict[str, Category]()
    if backend is not BackendName.BASELINE:
        asked = make_judgement(backend, url, model, adapter, said)
    return classification_figures(items, Inspector(load_classifier()), asked, said)


def _detection(file: Path) -> list[Figures]:
    lines = [line.decode("utf-8", "replace") for line in whole_lines(file)]
    return detection_figures(read_bags(lines, file.name), Inspector(load_classifier()))


def _injection(
    file: Path | None,
    backend: BackendName,
    url: str | None,
    model: str | None,
    adapter: str | None,
    packaged: str = "injections.yaml",
) -> list[Figures]:
    attempts = read_attempts(*_set(file, packaged))
    judgement = make_judgement(backend, url, model, adapter)
    return injection_figures(asyncio.run(try_all(attempts, judgement)))


def _commands(file: Path | None) -> list[Figures]:
    return command_figures(read_commands(*_set(file, "commands.yaml")), load_library())


def _runbooks(file: Path | None) -> list[Figures]:
    judge = load_settings().judge
    library = load_library(judge.runbook_folders)
    items = read_worded(*_set(file, "runbooks.yaml", "opspilot.evaluating"), library)

    async def choose() -> dict[str, list[str | None]]:
        found = {"words": await choices(items, library, None)}
        nearness = make_nearness(
            judge.model_copy(update={"embeddings_timeout_seconds": PATIENT_SECONDS})
        )
        if nearness is not None:
            found["words, then meaning"] = await choices(items, library, nearness)
            await nearness.close()
        return found

    return runbook_figures(items, asyncio.run(choose()))


def _set(file: Path | None, packaged: str, package: str = "training.evaluation") -> tuple[str, str]:
    """Return the text and the name of a set: the given file, or that of this project."""
    if file is not None:
        return _read_text(file), file.name
    folder = files(package) / "sets"
    return (folder / packaged).read_text(encoding="utf-8"), packaged


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read as text: {error}.") from None
