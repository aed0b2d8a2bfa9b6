"""Which adapter judges an incident: what the models topic says, as far as a probe has proven it.

Comes in: the models topic, read to its end before the first answer. Goes out: a Choice per incident
id. Promise: an adapter is used only while its probe holds; meanwhile and otherwise the base model
answers and the choice says why; a release is seen within seconds, without a restart.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pydantic import ValidationError

from agents.baselines import Baselines, Content
from agents.llm.errors import ModelError
from agents.llm.probe import prove
from agents.llm.protocol import Backend
from agents.llm.reasons import FallbackReason
from agents.logic.judging.classifier import Classifier
from agents.routing import Variant, variant_of
from schemas.learning import ModelRelease, ModelRole
from streams import metrics
from streams.clock import monotonic_ms
from streams.errors import BrokerError

log = logging.getLogger(__name__)

BASELINE = "baseline"
FOLLOW_SECONDS = 5.0
PROBE_CALL_SECONDS = 20.0
PROBE_AGAIN_MS = 600_000
"""A server that was restarted without the adapter shows itself within this time."""
PROBE_RETRY_MS = 15_000
"""Where no answer could be had, nothing is proven: it is asked again so soon."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is to judge one incident."""

    variant: Variant = "champion"
    adapter: str | None = None
    reason: FallbackReason | None = None
    """Why it is not the adapter that was released for this incident."""
    by_baseline: bool = False
    """The release in service is a baseline."""
    classifier: Classifier | None = None
    """A baseline fitted anew, named by `adapter`; None for the committed one."""
    model: str | None = None
    """What the release calls the baseline that was fitted anew."""


class Source(Content, Protocol):
    """The models topic as a dictionary; `version` rises with each change."""

    version: int


@dataclass(slots=True)
class _Probe:
    """What is known of one release's adapter."""

    release: ModelRelease
    answers: bool | None = None
    due_ms: int = 0
    task: "asyncio.Task[None] | None" = None


class Releases:
    """Champion and challenger, probed."""

    def __init__(
        self,
        source: Source,
        backend: Backend | None,
        *,
        adapter: str | None = None,
        baselines: Baselines | None = None,
        now_ms: Callable[[], int] = monotonic_ms,
        probe_call_seconds: float = PROBE_CALL_SECONDS,
    ) -> None:
        """`adapter` is the champion's where nobody was released.

        Without a backend no model can be asked, and only releases of baselines count.
        """
        self._default = default_champion(backend.name, adapter) if backend is not None else None
        self._source = source
        self._backend = backend
        self._baselines = baselines
        self._now_ms = now_ms
        self._probe_call_seconds = probe_call_seconds
        self._version = -1
        self._released: dict[ModelRole, ModelRelease] = {}
        self._probes: dict[ModelRole, _Probe] = {}

    async def choose(self, incident_id: str, patience_seconds: float = 0.0) -> Choice:
        """Return who judges; waits so long for a probe that has not come to its first end.

        Raises BrokerError while the models topic was never read to its end.
        """
        await self.refresh()
        challenger = self._released.get(ModelRole.CHALLENGER)
        variant = variant_of(incident_id, challenger.share if challenger else 0.0)
        role = ModelRole(variant)
        release = self._released.get(role)
        if release is None:
            return Choice(variant)
        if release.backend == BASELINE:
            return await self._baseline(variant, release)
        if self._backend is None:
            return Choice(variant, reason=FallbackReason.NO_MODEL)
        if release.adapter is None:
            return Choice(variant)
        probe = self._probes[role]
        if probe.answers is None and probe.task is not None and patience_seconds > 0:
            await asyncio.wait({probe.task}, timeout=patience_seconds)
        if probe.answers is None:
            return Choice(variant, reason=FallbackReason.ADAPTER_UNPROVEN)
        if not probe.answers:
            return Choice(variant, reason=FallbackReason.ADAPTER_SILENT)
        return Choice(variant, adapter=release.adapter)

    def doubt(self, choice: Choice) -> None:
        """Have an adapter probed anew: the server has refused a question to it."""
        probe = self._probes.get(ModelRole(choice.variant))
        if probe is not None and probe.release.adapter == choice.adapter:
            probe.due_ms = 0

    async def refresh(self) -> None:
        """Take in what was released, and begin the probes that are due; raises BrokerError."""
        values = await self._source.read()
        if self._source.version != self._version:
            self._version = self._source.version
            self._take_in([release for value in values.values() if (release := _read(value))])
        for probe in self._probes.values():
            if probe.task is None and self._now_ms() >= probe.due_ms:
                probe.task = asyncio.create_task(self._prove(probe))

    async def follow(self) -> None:
        """Refresh until cancelled, so that a rollout is probed before the next incident."""
        while True:
            try:
                await self.refresh()
            except BrokerError as error:
                log.warning("releases cannot be read: %s", error)
            except Exception:
                # The next incident meets the same fault, where it is dealt with.
                log.exception("releases could not be followed")
            await asyncio.sleep(FOLLOW_SECONDS)

    async def close(self) -> None:
        """End the probes and let go of the topic."""
        tasks = [probe.task for probe in self._probes.values() if probe.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._source.close()
        if self._baselines is not None:
            await self._baselines.close()

    async def _baseline(self, variant: Variant, release: ModelRelease) -> Choice:
        if release.adapter is None or self._baselines is None:
            return Choice(variant, by_baseline=True)
        classifier = await self._baselines.find(release)
        metrics.ADAPTER_ANSWERS.labels(variant).set(classifier is not None)
        if classifier is None:
            return Choice(variant, reason=FallbackReason.ADAPTER_UNPROVEN, by_baseline=True)
        return Choice(variant, release.adapter, None, True, classifier, release.model)

    def _take_in(self, releases: list[ModelRelease]) -> None:
        self._released = {release.role: release for release in releases}
        if self._default is not None:
            self._released.setdefault(ModelRole.CHAMPION, self._default)
        metrics.MODEL_RELEASED.clear()
        metrics.ADAPTER_ANSWERS.clear()
        for known_role, serving in self._released.items():
            released = metrics.MODEL_RELEASED.labels(
                known_role.value, serving.model, serving.adapter or ""
            )
            released.set(serving.released_ms / 1000)
        proven = {_what(p.release): p for p in self._probes.values() if p.answers}
        for role in ModelRole:
            release = self._released.get(role)
            known = self._probes.get(role)
            if known is not None and known.release == release:
                metrics.ADAPTER_ANSWERS.labels(role.value).set(bool(known.answers))
                continue
            if known is not None:
                del self._probes[role]
                if known.task is not None:
                    known.task.cancel()
            if release is not None and release.adapter and self._can_prove(release):
                # A challenger that becomes champion was proven already: nobody waits for it anew.
                before = proven.get(_what(release))
                probe = _Probe(release, True, before.due_ms) if before else _Probe(release)
                self._probes[role] = probe
                metrics.ADAPTER_ANSWERS.labels(role.value).set(bool(probe.answers))

    def _can_prove(self, release: ModelRelease) -> bool:
        """Tell whether a server is to be asked: a baseline is proven by its digest."""
        return self._backend is not None and release.backend != BASELINE

    async def _prove(self, probe: _Probe) -> None:
        assert self._backend is not None
        role, adapter = probe.release.role, probe.release.adapter
        assert adapter is not None
        try:
            proof = await prove(self._backend, adapter, self._probe_call_seconds)
        except ModelError as error:
            log.warning("the %s's adapter %s could not be probed: %s", role, adapter, error)
            if error.reason == FallbackReason.REJECTED:
                probe.answers = False  # the server has no such adapter, and says so
            probe.due_ms = self._now_ms() + PROBE_RETRY_MS
        else:
            if not proof.answers:
                log.error("the %s is not used: %s", role, proof.why)
            probe.answers = proof.answers
            probe.due_ms = self._now_ms() + (PROBE_AGAIN_MS if proof.answers else PROBE_RETRY_MS)
        finally:
            probe.task = None
        if self._probes.get(role) is probe:
            metrics.ADAPTER_ANSWERS.labels(role.value).set(bool(probe.answers))


def default_champion(
    backend: str, adapter: str | None, model: str | None = None
) -> ModelRelease | None:
    """Return the champion that the settings name, who serves until somebody is released."""
    if adapter is None:
        return None
    return ModelRelease(
        role=ModelRole.CHAMPION,
        backend=backend,
        model=model or "the base",
        adapter=adapter,
        reason="named in the settings",
        released_ms=0,
    )


def _what(release: ModelRelease) -> tuple[str | None, ...]:
    """Return what is proven when a release is: the adapter of this content on this server."""
    return release.backend, release.model, release.adapter, release.adapter_digest


def _read(value: bytes) -> ModelRelease | None:
    try:
        return ModelRelease.from_bytes(value)
    except ValidationError as error:
        log.warning("a record of the models topic is not a release: %s", error)
        return None
