"""`opspilot generate`: the part of docs/ that is a function of the code.

Comes in: the topic map, the records, the settings, the metrics. Goes out: files under docs/.
Promise: `--check` writes nothing and fails naming each file that is not current.
"""

from pathlib import Path
from typing import Annotated

import typer
from prometheus_client import Counter, Gauge, Histogram
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from schemas.export import asyncapi, json_schemas, topics_page
from streams import metrics
from streams.errors import InputError
from streams.section import PREFIX
from streams.settings import Settings

app = typer.Typer()


@app.command()
def generate(
    folder: Annotated[Path, typer.Option(help="Where docs/ is.")] = Path("docs"),
    check: Annotated[bool, typer.Option("--check", help="Only compare, write nothing.")] = False,
) -> None:
    """Write docs/schemas, docs/asyncapi.yaml, docs/topics.md, docs/settings.md and docs/metrics.md.

    Example: opspilot generate --check
    """
    stale = []
    for name, text in files().items():
        path = folder / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(str(path))
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if check and stale:
        raise InputError(f"not current: {', '.join(stale)}; run `make generate` and commit them")
    for path_name in stale:
        typer.echo(f"wrote {path_name}")


def files() -> dict[str, str]:
    """Return every generated file below docs/, by name."""
    schemas = {f"schemas/{name}": text for name, text in json_schemas().items()}
    return {
        **schemas,
        "asyncapi.yaml": asyncapi(),
        "topics.md": topics_page(),
        "settings.md": settings_page(),
        "metrics.md": metrics_page(),
    }


def settings_page() -> str:
    """Return the table of settings as Markdown."""
    lines = [
        "# Settings",
        "",
        "Made by `opspilot generate` from `streams/settings.py`. Every setting is an environment",
        "variable, read once at the start of a process; lists are written as JSON.",
    ]
    for section, field in Settings.model_fields.items():
        model = field.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        title = (model.__doc__ or "").strip().splitlines()[0]
        lines += ["", f"## {section}", "", title, "", "| variable | default | what |"]
        lines.append("| --- | --- | --- |")
        lines += [_row(section, name, info) for name, info in model.model_fields.items()]
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """Return the table of metrics as Markdown."""
    lines = [
        "# Metrics",
        "",
        "Made by `opspilot generate` from `streams/metrics.py`. Every process serves all of them",
        "on `/metrics`, and has values for what it does; [MONITORING.md](MONITORING.md) says how",
        "to read them. Beside them are those of every Python process (`process_*`, `python_*`).",
        "",
        "| metric | kind | labels | what |",
        "| --- | --- | --- | --- |",
    ]
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            kind = type(metric).__name__.lower()
            name = metric._name + ("_total" if isinstance(metric, Counter) else "")
            labels = ", ".join(metric._labelnames)
            lines.append(f"| `{name}` | {kind} | {labels} | {metric._documentation} |")
    return "\n".join(lines) + "\n"


def _row(section: str, name: str, info: FieldInfo) -> str:
    variable = f"{PREFIX}{section}__{name}".upper()
    default = info.get_default(call_default_factory=True)
    shown = "" if default is None or default == () else f"`{_plain(default)}`"
    return f"| `{variable}` | {shown} | {info.description or name.replace('_', ' ')} |"


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return str(getattr(value, "value", value))
