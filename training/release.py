"""Brings an adapter into service: loaded, proven, and only then named in the models topic.

Comes in: an adapter of the registry, the way to those who judge by it, who serves now. Goes out:
ModelRelease records, given to `publish`. Promise: an adapter that does not answer otherwise than
the base model is taken out again and never named; until then nothing in service changes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agents.llm.errors import ModelError
from agents.llm.probe import prove
from agents.llm.protocol import Backend
from streams.clock import monotonic_ms, now_ms
from training.registry import Manifest, Registry
from training.roles import Candidate, Change, Roles, released
from training.rollout import ReleaseError, Rollout

PROBE_CALL_SECONDS = 60.0
PAUSE_SECONDS = 2.0

Publish = Callable[[tuple[Change, ...]], Awaitable[None]]
"""Sends changes of the models topic, in their order, and returns when the broker has them."""


class Way(Protocol):
    """How what was learnt reaches those who judge by it."""

    async def bring_up(self, name: str, folder: Path, roles: Roles) -> None:
        """Have it ready to judge, and all else that is in service too; raises ReleaseError."""

    async def candidate(self, manifest: Manifest, folder: Path) -> Candidate:
        """Return what is to be named in the models topic."""


@dataclass(frozen=True, slots=True)
class Server:
    """A model server that takes adapters."""

    backend: Backend
    rollout: Rollout
    wait_seconds: float = 300.0
    pause_seconds: float = PAUSE_SECONDS

    async def bring_up(self, name: str, folder: Path, roles: Roles) -> None:
        """Load an adapter and wait until it is proven to answer; raises ReleaseError."""
        await self.rollout.load(name, folder, roles.in_use | {name})
        why = await _wait_for(name, self)
        if why is not None and name not in roles.in_use:
            await self.rollout.unload(name, roles.in_use)
        if why is not None:
            raise ReleaseError(f"adapter {name} was loaded but not released: {why}")

    async def candidate(self, manifest: Manifest, folder: Path) -> Candidate:  # noqa: ARG002
        """Return the adapter as the server's model with it."""
        model = (await self.backend.describe()).model
        return Candidate(self.backend.name, model, manifest.name, manifest.digest)


async def release_adapter(
    name: str,
    *,
    registry: Registry,
    work_folder: Path,
    way: Way,
    roles: Roles,
    share: float,
    reason: str,
    publish: Publish,
) -> tuple[Change, ...]:
    """Release an adapter of the registry for a share of the incidents (1: for all).

    Raises ReleaseError where it cannot be loaded or does not answer, InputError for one that the
    registry does not have or that the gate has refused.
    """
    manifest = registry.read(name)
    if not manifest.facts.passed:
        raise ReleaseError(f"adapter {name} was refused by the gate: {manifest.facts.reason}")
    folder = registry.fetch(name, work_folder)
    await way.bring_up(name, folder, roles)
    candidate = await way.candidate(manifest, folder)
    changes = released(candidate, roles, share, reason, now_ms())
    await publish(changes)
    return changes


async def _wait_for(name: str, server: Server) -> str | None:
    """Return None once the adapter answers, else why it did not in the time it had."""
    until_ms = monotonic_ms() + server.wait_seconds * 1000
    while True:
        try:
            proof = await prove(server.backend, name, PROBE_CALL_SECONDS)
            why = proof.why
            if proof.answers:
                return None
        except ModelError as error:
            why = str(error)
        if monotonic_ms() >= until_ms:
            return why
        await asyncio.sleep(server.pause_seconds)
