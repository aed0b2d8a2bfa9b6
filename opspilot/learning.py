"""What stands around a training: its dataset before, gate, registry and release after.

Comes in: a request; the folder of an adapter, or of a baseline fitted anew. Goes out: a dataset's
folder; what became of what was learnt. Promise: what the registry has is not tried again, so a kill
in the middle ends in the same decision; an adapter that was refused is taken off the server.
"""

import asyncio
import shutil
import sys
from pathlib import Path

from agents.llm.backends import make_backend
from agents.llm.errors import ModelError
from agents.logic.judging.classifier import (
    Classifier,
    is_baseline,
    load_classifier,
    read_weights,
)
from schemas.learning import RetrainingRequest, TrainingState
from streams.clock import now_ms
from streams.errors import BrokerError, ConfigurationError, InputError
from streams.kafka import make_producer, started
from streams.modelsettings import BackendName
from streams.settings import Settings
from training.baseline_release import BaselineWay
from training.jobs import Settled
from training.judging_run import Asking
from training.lora.card import add_figures
from training.publishing import publish_changes, roles_now
from training.refit import read_fitted
from training.registry import Facts, Manifest, Registry
from training.release import Server, release_adapter
from training.roles import Change, Roles
from training.rollout import make_rollout
from training.trial import BASELINE, InService, TrialVerdict, try_baseline, try_candidate

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
        """Try what was learnt, keep it, and release it if the gate let it through."""
        if is_baseline(request.model):
            return await self._settle(request, name, adapter, None)
        if self._settings.model.backend is BackendName.BASELINE:
            raise ConfigurationError(
                "OPSPILOT_MODEL__BACKEND=baseline serves no adapters: name the model server, as in "
                "OPSPILOT_MODEL__BACKEND=openai OPSPILOT_MODEL__URL=http://host:8012/v1"
            )
        backend = make_backend(self._settings.model)
        rollout = make_rollout(self._settings.release, self._settings.model)
        server = Server(backend, rollout, float(self._settings.release.wait_seconds))
        try:
            return await self._settle(request, name, adapter, server)
        except ModelError as error:
            raise InputError(f"the model server could not be asked: {error}") from None
        finally:
            await backend.close()

    async def _settle(
        self, request: RetrainingRequest, name: str, adapter: Path, server: Server | None
    ) -> Settled:
        """Settle an adapter of the server's model; without a server, a baseline."""
        roles = await roles_now(self._settings)
        manifest = await asyncio.to_thread(self._registry.find, name)
        if manifest is None:
            if server is None:
                verdict = await asyncio.to_thread(self._try_baseline, name, adapter, roles)
            else:
                verdict = await self._try(name, adapter, server, roles)
            manifest = await asyncio.to_thread(self._keep, request, name, adapter, verdict)
            if server is not None and not manifest.facts.passed:
                await server.rollout.unload(name, roles.in_use)
        facts = manifest.facts
        if not facts.passed:
            return Settled(TrainingState.REFUSED, facts.reason, facts.figures)
        if name not in roles.in_use:
            await self._release(name, server, roles, facts.reason)
        return Settled(TrainingState.RELEASED, facts.reason, facts.figures)

    async def _try(self, name: str, adapter: Path, server: Server, roles: Roles) -> TrialVerdict:
        await server.bring_up(name, adapter, roles)
        takes = (await server.backend.describe()).max_concurrent or 1
        verdict = await try_candidate(
            adapter.with_name("data"),
            Asking(server.backend, name, at_once=min(MOST_AT_ONCE, takes)),
            _in_service(roles),
            adapter,
        )
        add_figures(adapter, verdict.figures)
        return verdict

    def _try_baseline(self, name: str, folder: Path, roles: Roles) -> TrialVerdict:
        champion = roles.champion
        served = self._settings.model.backend if champion is None else champion.backend
        if served != BASELINE:
            raise InputError(
                f"the baseline does not judge any more, {served} does: nothing is to be released"
            )
        serving = (BASELINE, load_classifier())
        if champion is not None and champion.adapter is not None:
            before = self._registry.fetch(champion.adapter, self._released)
            serving = (champion.adapter, _fitted(before))
        return try_baseline(folder.with_name("data"), (name, _fitted(folder)), serving, folder)

    def _keep(
        self, request: RetrainingRequest, name: str, folder: Path, verdict: TrialVerdict
    ) -> Manifest:
        facts = Facts(
            model=request.model,
            request_id=request.id,
            passed=verdict.decision.passed,
            reason=verdict.decision.reason,
            created_ms=now_ms(),
            figures=verdict.figures,
        )
        return self._registry.publish(name, folder, facts)

    async def _release(self, name: str, server: Server | None, roles: Roles, reason: str) -> None:
        producer = make_producer(self._settings.kafka)
        async with started(producer, self._settings.kafka):

            async def send(changes: tuple[Change, ...]) -> None:
                await publish_changes(producer, self._settings, changes)

            await release_adapter(
                name,
                registry=self._registry,
                work_folder=self._released,
                way=server or BaselineWay(producer, self._settings),
                roles=roles,
                share=self._settings.release.challenger_share,
                reason=reason,
                publish=send,
            )

    @property
    def _released(self) -> Path:
        return self._settings.training.folder / "released"

    async def _generate(self, folder: Path) -> None:
        draft = folder.with_name(f".{folder.name}")
        shutil.rmtree(draft, ignore_errors=True)
        await _opspilot("dataset", "generate", str(draft))
        draft.rename(folder)


def _fitted(folder: Path) -> Classifier:
    return Classifier(read_weights(*read_fitted(folder)))


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
