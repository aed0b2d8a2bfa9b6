"""A judgement by a model server that a person names on the command line, and how it is asked.

Comes in: backend, address, model; incidents. Goes out: a Judgement, or none for the baseline alone;
what it says of each. Promise: the bounds are those of the stages, but no cap per service: an
evaluation asks every item, a few at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from pydantic import ValidationError

from agents.judgement import FixedChoice, Judgement, make_model_backend
from agents.releases import Choice
from opspilot.evaluating.listening import ListenedTo
from schemas.incident import Incident
from schemas.vocabulary import Category
from streams.errors import InputError
from streams.modelsettings import BackendName, ModelSettings
from streams.settings import load_settings

T = TypeVar("T")

AT_ONCE = 4
_NO_CAP = 1_000_000


def make_judgement(
    backend: BackendName,
    url: str | None,
    model: str | None,
    adapter: str | None,
    said: dict[str, Category] | None = None,
) -> Judgement:
    """Make it; what is not given comes from the settings. Raises InputError.

    `said` takes up the category that the model itself names, by incident id.
    """
    given = load_settings()
    if backend is BackendName.BASELINE:
        return Judgement(ModelSettings(), given.judge.runbook_folders)
    wanted = given.model.model_dump() | {
        "backend": backend,
        "url": url or given.model.url,
        "name": model or given.model.name,
        "calls_per_service_hour": _NO_CAP,
    }
    try:
        settings = ModelSettings.model_validate(wanted)
    except ValidationError as error:
        raise InputError(f"--backend {backend}: {error.errors()[0]['msg']}.") from None
    server = make_model_backend(settings, given.judge.runbook_folders)
    if server is not None and said is not None:
        server = ListenedTo(server, said)
    return Judgement(
        settings,
        given.judge.runbook_folders,
        backend=server,
        chooser=FixedChoice(Choice(adapter=adapter, by_baseline=False)),
    )


async def ask_in_turns(
    incidents: Iterable[Incident],
    ask: Callable[[Incident], Awaitable[T]],
    judgement: Judgement,
) -> list[T]:
    """Ask about all incidents, a few at once, in their order; closes `judgement` at the end.

    All at once would wait for a server until most have given up, and measure the baseline.
    """
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(incident: Incident) -> T:
        async with turns:
            return await ask(incident)

    try:
        return await asyncio.gather(*map(one, incidents))
    finally:
        await judgement.close()
