"""`opspilot services`: what people know of their services, which plans and joins rest on.

Comes in: owner, platform, dependencies, runbooks, by options or from a YAML file. Goes out: records
of the services topic. Promise: a file is taken whole or not at all; the latest word counts.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from aiokafka.errors import KafkaError
from pydantic import ValidationError
from rich.table import Table

from opspilot.logfiles import parse_service
from opspilot.reading import TopicReader
from opspilot.render import result_console
from schemas.services import Platform, ServiceInfo
from schemas.topics import SERVICES
from streams.admin import check_topics
from streams.errors import BrokerError, InputError
from streams.kafka import make_producer, started
from streams.settings import Settings, load_settings

app = typer.Typer(
    no_args_is_help=True,
    help="Say who owns a service, where it runs and what it needs.\n\n"
    "Example: opspilot services list",
)


@app.command("set")
def set_service(
    service: Annotated[str, typer.Argument(help="NAME, NAMESPACE/NAME or ENV/NAMESPACE/NAME.")],
    owner: Annotated[str | None, typer.Option(help="Whom to tell.")] = None,
    platform: Annotated[Platform, typer.Option(help="Where it runs.")] = Platform.UNKNOWN,
    depends_on: Annotated[
        list[str] | None, typer.Option(help="A service that it needs; may be repeated.")
    ] = None,
    runbook: Annotated[
        list[str] | None, typer.Option(help="Id of a runbook to prefer; may be repeated.")
    ] = None,
) -> None:
    """Say what is known of one service; what was known of it before is replaced.

    Example: opspilot services set shop/checkout --owner payments-team --depends-on shop/db
    """
    info = ServiceInfo(
        service=parse_service(service),
        owner=owner,
        platform=platform,
        dependencies=tuple(parse_service(name) for name in depends_on or ()),
        runbooks=tuple(runbook or ()),
    )
    asyncio.run(_publish(load_settings(), [(info.service, info)]))
    typer.echo(f"{info.service} is known now")


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="YAML: service name -> owner, platform, ...")],
) -> None:
    """Take many services from a YAML file, all of them or, where one is wrong, none.

    Each entry is NAME: {owner, platform, dependencies: [...], runbooks: [...]}.

    Example: opspilot services load services.yaml
    """
    infos = read_file(file)
    asyncio.run(_publish(load_settings(), [(info.service, info) for info in infos]))
    typer.echo(f"{len(infos)} services are known now")


@app.command()
def remove(service: Annotated[str, typer.Argument(help="Which service.")]) -> None:
    """Forget what was said of a service; its incidents stay.

    Example: opspilot services remove shop/checkout
    """
    identity = parse_service(service)
    settings = load_settings()
    if identity not in asyncio.run(_known(settings)):
        raise InputError(f"nothing is known of {identity}: `opspilot services list` shows the rest")
    asyncio.run(_publish(settings, [(identity, None)]))
    typer.echo(f"{identity} is forgotten")


@app.command("list")
def list_services() -> None:
    """List what is known of each service.

    Example: opspilot services list --kafka localhost:9092
    """
    known = asyncio.run(_known(load_settings()))
    if not known:
        typer.echo("nothing is known of any service: `opspilot services set --help`")
        return
    table = Table(box=None, pad_edge=False)
    for title in ("service", "owner", "platform", "depends on", "runbooks"):
        table.add_column(title, overflow="fold")
    for name in sorted(known):
        info = known[name]
        table.add_row(
            name, info.owner or "-", info.platform, ", ".join(info.dependencies) or "-",
            ", ".join(info.runbooks) or "-",
        )  # fmt: skip
    result_console().print(table)


def read_file(file: Path) -> list[ServiceInfo]:
    """Read the services of a YAML file; raises InputError naming the service and the field."""
    try:
        content: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or not content:
        raise InputError(f"{file} must map service names to what is known of them")
    return [_entry(file, name, fields) for name, fields in content.items()]


def _entry(file: Path, name: Any, fields: Any) -> ServiceInfo:
    if not isinstance(name, str) or not isinstance(fields, dict):
        raise InputError(f"{file}: {name!r} must be a name followed by fields such as owner")
    unknown = sorted(map(str, set(fields) - {"owner", "platform", "dependencies", "runbooks"}))
    if unknown:
        raise InputError(
            f"{file}: {name} has {unknown[0]!r}: use owner, platform, dependencies, runbooks"
        )
    dependencies = fields.get("dependencies") or ()
    if not isinstance(dependencies, list | tuple):
        raise InputError(f"{file}: {name}: dependencies must be a list, not {dependencies!r}")
    try:
        return ServiceInfo(
            **{
                **fields,
                "service": parse_service(name),
                "dependencies": tuple(parse_service(str(one)) for one in dependencies),
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{file}: {name}: {field}={first.get('input')!r}: {first['msg']}"
        ) from None


async def _publish(settings: Settings, entries: Sequence[tuple[str, ServiceInfo | None]]) -> None:
    await check_topics(settings, [SERVICES])
    producer = make_producer(settings.kafka)
    async with started(producer, settings.kafka):
        try:
            for service, info in entries:
                await producer.send_and_wait(
                    settings.topics.name(SERVICES),
                    key=service.encode(),
                    value=None if info is None else info.to_bytes(),
                )
        except KafkaError as error:
            raise BrokerError(f"Kafka refused what is said of {service}: {error}") from None


async def _known(settings: Settings) -> dict[str, ServiceInfo]:
    known: dict[str, ServiceInfo] = {}
    async with TopicReader(settings.kafka, [settings.topics.name(SERVICES)]) as reader:
        for message in await reader.read_to_end():
            name = (message.key or b"").decode("utf-8", "replace")
            known.pop(name, None)
            if message.value is not None:
                known[name] = ServiceInfo.from_bytes(message.value)
    return known
