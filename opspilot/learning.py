"""What stands around a training: its dataset before, gate, registry and release after.

Comes in: a request; the folder of an adapter. Goes out: a dataset's folder; what became of the
adapter. Promise: an adapter that the registry has is not tried again, so a kill in the middle ends
in the same decision; one that was refused is taken off the server.
"""

import asyncio
import shutil
import sys
from pathlib import Path

from agents.llm.backends import make_backend
from agents.llm.errors import ModelError
from schemas.learning import RetrainingRequest, TrainingState
from streams.clock import now_ms
from streams.errors import BrokerError, ConfigurationError, InputError
from streams.kafka import make_producer, started
from streams.modelsettings import BackendName
from streams.settings import Settings
from training.jobs import Settled
from training.judging_run import Asking
from training.lora.card import add_figures
from training.publishing import publish_changes, roles_now
from training.registry import Facts, Manifest, Registry
from training.release import Server, bring_up, release_adapter
from training.roles import Change, Roles
from training.rollout import make_rollout
from training.trial import BASELINE, InService, try_candidate

MOST_AT_ONCE = 4
"""Questions of a trial at once: people's incidents come first on the same server."""


class Learning:
    """The learning loop of these settings, around one training."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._registry = Registry.at(settings.release.registry)

    async def prepare(self, request: RetrainingRequest, data: Path) -> None:  # noqa: ARG002
        """Build the dataset from what people said, and from synthetic incidents."""
        replay = self._settings.training.replay
        if replay is None:
            replay = self._settings.training.folder / "replay"
            if not replay.is_dir():
                await self._generate(replay)
        await _opspilot("dataset", "build", str(data), "--replay", str(replay))

    async def settle(self, request: RetrainingRequest, name: str, adapter: Path) -> Settled:
        """Try the adapter on the server, keep it, and release it if the gate let it through."""
        if self._settings.model.backend is BackendName.BASELINE:
            raise ConfigurationError(
                "OPSPILOT_MODEL__BACKEND=baseline serves no adapters: name the model server, as in "
                "OPSPILOT_MODEL__BACKEND=openai OPSPILOT_MODEL__URL=http://host:8012/v1"
            )
        backend = make_backend(self._settings.model)
        rollout = make_rollout(self._settings.release, self._settings.model)
        server = Server(backend, rollout, float(self._settings.release.wait_seconds))
        try:
            roles = await roles_now(self._settings)
            manifest = await asyncio.to_thread(self._registry.find, name)
            if manifest is None:
                manifest = await self._try(request, name, adapter, server, roles)
            facts = manifest.facts
            if not facts.passed:
                return Settled(TrainingState.REFUSED, facts.reason, facts.figures)
            if name not in roles.in_use:
                await self._release(name, server, roles, facts.reason)
            return Settled(TrainingState.RELEASED, facts.reason, facts.figures)
        except ModelError as error:
            raise InputError(f"the model server could not be asked: {error}") from None
        finally:
            await backend.close()

    async def _try(
        self, request: RetrainingRequest, name: str, adapter: Path, server: Server, roles: Roles
    ) -> Manifest:
        await bring_up(name, adapter, server, roles)
        takes = (await server.backend.describe()).max_concurrent or 1
        verdict = await try_candidate(
            adapter.with_name("data"),
            Asking(server.backend, name, at_once=min(MOST_AT_ONCE, takes)),
            _in_service(roles),
            adapter,
        )
        decision = verdict.decision
        add_figures(adapter, verdict.figures)
        facts = Facts(
            model=request.model,
            request_id=request.id,
            passed=decision.passed,
            reason=decision.reason,
            created_ms=now_ms(),
            figures=verdict.figures,
        )
        manifest = await asyncio.to_thread(self._registry.publish, name, adapter, facts)
        if not decision.passed:
            await server.rollout.unload(name, roles.in_use)
        return manifest

    async def _release(self, name: str, server: Server, roles: Roles, reason: str) -> None:
        producer = make_producer(self._settings.kafka)
        async with started(producer, self._settings.kafka):

            async def send(changes: tuple[Change, ...]) -> None:
                await publish_changes(producer, self._settings, changes)

            await release_adapter(
                name,
                registry=self._registry,
                work_folder=self._settings.training.folder / "released",
                server=server,
                roles=roles,
                share=self._settings.release.challenger_share,
                reason=reason,
                publish=send,
            )

    async def _generate(self, folder: Path) -> None:
        draft = folder.with_name(f".{folder.name}")
        shutil.rmtree(draft, ignore_errors=True)
        await _opspilot("dataset", "generate", str(draft))
        draft.rename(folder)


def _in_service(roles: Roles) -> InService:
    """Return whom a candidate must beat: the champion, else the model itself, which then serves."""
    champion = roles.champion
    if champion is None:
        return InService("base", False)
    if champion.backend == BASELINE:
        return InService(BASELINE, is_baseline=True)
    return InService(champion.adapter or champion.model, False, champion.adapter)


async def _opspilot(*arguments: str) -> None:
    """Run another command in a process of its own; raises what it says when it fails."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "opspilot",
        *arguments,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await child.communicate()
    except asyncio.CancelledError:
        if child.returncode is None:
            child.kill()
            await child.wait()
        raise
    if child.returncode:
        last = (said.decode("utf-8", "replace").strip().splitlines() or ["no reason given"])[-1]
        message = f"`opspilot {' '.join(arguments[:2])}` failed: {last}"
        raise BrokerError(message) if "Kafka" in last else InputError(message)
