"""`opspilot models`: which adapters there are, who serves, and who is to.

Comes in: the registry, the models topic, a model server. Goes out: tables; releases. Promise: an
adapter serves only after the gate let it through and the server was seen to answer with it.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.llm.backends import make_backend
from agents.logic.judging.classifier import is_baseline
from agents.releases import BASELINE
from schemas.envelope import iso_time
from schemas.learning import ModelRelease
from schemas.topics import MODELS
from streams.admin import check_topics
from streams.clock import now_ms
from streams.errors import ConfigurationError, InputError
from streams.kafka import make_producer, started
from streams.modelsettings import BackendName
from streams.settings import Settings, load_settings
from training.baseline_release import BaselineWay
from training.publishing import publish_changes, roles_now
from training.registry import Manifest, Registry
from training.release import Server, release_adapter
from training.report import TEXT_FILE
from training.roles import Change, Roles, rolled_back
from training.rollout import make_rollout

app = typer.Typer(
    no_args_is_help=True,
    help="List, show, promote and roll back trained adapters.\n\nExample: opspilot models list",
)
NameArgument = Annotated[str, typer.Argument(help="The adapter, as `models list` names it.")]
_MOST_REASON = 70


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the adapters of the registry, the newest first, and the part that each plays.

    Example: opspilot models list
    """
    settings = load_settings()
    found = Registry.at(settings.release.registry).all()
    roles = asyncio.run(_roles(settings))
    if as_json:
        for manifest in found:
            fields = manifest.model_dump(mode="json") | {"role": part_of(manifest.name, roles)}
            typer.echo(json.dumps(fields))
        return
    typer.echo(f"champion: {_said(roles.champion)}\nchallenger: {_said(roles.challenger)}")
    if not found:
        typer.echo(f"the registry {settings.release.registry} holds no adapter")
        return
    table = Table(box=None, header_style="bold")
    for heading in ("adapter", "part", "of", "made", "gate", "why"):
        table.add_column(heading)
    for one in found:
        facts = one.facts
        cells = (
            one.name, part_of(one.name, roles), facts.model, iso_time(facts.created_ms)[:16],
            "passed" if facts.passed else "refused", facts.reason[:_MOST_REASON],
        )  # fmt: skip
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)


@app.command()
def show(name: NameArgument) -> None:
    """Show an adapter: its files with their digests, and what the gate found.

    Example: opspilot models show triage-5f0c1d2e
    """
    registry = Registry.at(load_settings().release.registry)
    manifest = registry.read(name)
    typer.echo(describe(manifest))
    report = registry.read_file(name, TEXT_FILE)
    if report is not None:
        typer.echo(f"\n{report.decode('utf-8', 'replace')}")


@app.command()
def promote(
    name: NameArgument,
    share: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Share of the incidents; 1: champion.")
    ] = 1.0,
) -> None:
    """Release an adapter that the gate let through; by default for all incidents.

    Example: opspilot models promote triage-5f0c1d2e --share 0.2
    """
    settings = load_settings()
    registry = Registry.at(settings.release.registry)
    for_baseline = is_baseline(registry.read(name).facts.model)

    async def change(ways: _Ways, roles: Roles, send: _Send) -> tuple[Change, ...]:
        return await release_adapter(
            name,
            registry=registry,
            work_folder=settings.worker.data_folder / "adapters",
            way=ways.baselines if for_baseline else ways.server,
            roles=roles,
            share=share,
            reason="promoted by a person",
            publish=send,
        )

    _tell(asyncio.run(_change(settings, change)))


@app.command()
def rollback(
    reason: Annotated[str, typer.Option(help="Why, for those who read it later.")] = "by a person",
) -> None:
    """Take the challenger out of service; without one, go back to what served before the champion.

    Example: opspilot models rollback --reason "wrong on routers"
    """
    settings = load_settings()

    async def change(ways: _Ways, roles: Roles, send: _Send) -> tuple[Change, ...]:
        changes = rolled_back(roles, f"rolled back: {reason}", now_ms())
        for _, release in changes:
            if release is not None and release.adapter is not None:
                registry = Registry.at(settings.release.registry)
                folder = registry.fetch(release.adapter, settings.worker.data_folder / "adapters")
                way = ways.baselines if release.backend == BASELINE else ways.server
                await way.bring_up(release.adapter, folder, roles)
        await send(changes)
        return changes

    _tell(asyncio.run(_change(settings, change)))


class _Ways:
    """The ways into service; the model server's client is made when it is needed."""

    def __init__(self, settings: Settings, producer: Any) -> None:
        self._settings = settings
        self.baselines = BaselineWay(producer, settings)
        self._server: Server | None = None

    @property
    def server(self) -> Server:
        """The model server; raises ConfigurationError where none is named."""
        settings = self._settings
        if settings.model.backend is BackendName.BASELINE:
            raise ConfigurationError(
                "OPSPILOT_MODEL__BACKEND=baseline has no adapters: name the model server that "
                "serves them, as in OPSPILOT_MODEL__BACKEND=openai "
                "OPSPILOT_MODEL__URL=http://host:8012/v1"
            )
        if self._server is None:
            rollout = make_rollout(settings.release, settings.model)
            wait_seconds = float(settings.release.wait_seconds)
            self._server = Server(make_backend(settings.model), rollout, wait_seconds)
        return self._server

    async def close(self) -> None:
        if self._server is not None:
            await self._server.backend.close()


_Send = Callable[[tuple[Change, ...]], Awaitable[None]]
_Work = Callable[[_Ways, Roles, _Send], Awaitable[tuple[Change, ...]]]


async def _change(settings: Settings, work: _Work) -> tuple[Change, ...]:
    await check_topics(settings, [MODELS])
    roles = await roles_now(settings)
    producer = make_producer(settings.kafka)
    ways = _Ways(settings, producer)
    try:
        async with started(producer, settings.kafka):

            async def send(changes: tuple[Change, ...]) -> None:
                await publish_changes(producer, settings, changes)

            return await work(ways, roles, send)
    finally:
        await ways.close()


async def _roles(settings: Settings) -> Roles:
    await check_topics(settings, [MODELS])
    return await roles_now(settings)


def part_of(name: str, roles: Roles) -> str:
    """Return what part an adapter plays, empty for none."""
    champion, challenger = roles.champion, roles.challenger
    if champion is not None and champion.adapter == name:
        return "champion"
    if challenger is not None and challenger.adapter == name:
        return f"challenger {challenger.share:.0%}"
    if champion is not None and champion.previous_adapter == name:
        return "previous"
    return ""


def describe(manifest: Manifest) -> str:
    """Return an adapter's manifest for people."""
    facts = manifest.facts
    lines = [
        f"{manifest.name}: an adapter of {facts.model}, made {iso_time(facts.created_ms)}",
        f"gate: {'passed' if facts.passed else 'refused'}: {facts.reason}",
        f"digest: {manifest.digest}",
    ]
    if facts.request_id:
        lines.append(f"asked for by: {facts.request_id}")
    lines += [
        f"  {entry.sha256[:16]}  {entry.size:>10,}  {file}"
        for file, entry in manifest.files.items()
    ]
    lines += [f"  {figure}: {value:g}" for figure, value in facts.figures.items()]
    return "\n".join(lines)


def _said(release: ModelRelease | None) -> str:
    if release is None:
        return "none released"
    name = f"{release.model} with {release.adapter}" if release.adapter else release.model
    return f"{name} on {release.backend}, {release.share:.0%} of the incidents"


def _tell(changes: tuple[Change, ...]) -> None:
    if not changes:
        raise InputError("nothing was changed")
    for role, release in changes:
        typer.echo(f"{role}: {_said(release)}")
