"""Brings a baseline that was fitted anew to the stages: through its topic, which they read.

Comes in: its folder. Goes out: a BaselineArtefact under its name, before any release names it.
Promise: what was read back from the folder is what the digest of the release stands for; baselines
in no role are taken out of the topic again.
"""

from pathlib import Path
from typing import Any

from agents.baselines import content_digest
from agents.logic.judging.classifier import read_weights
from agents.releases import BASELINE
from schemas.envelope import cloud_event_headers
from schemas.learning import BaselineArtefact
from schemas.topics import BASELINES
from streams.clock import now_ms
from streams.compacted import CompactedTopic
from streams.settings import Settings
from training.refit import read_fitted
from training.registry import Manifest
from training.roles import Candidate, Roles

SOURCE = "release"


class BaselineWay:
    """The way of baselines (`Way` of training.release)."""

    def __init__(self, producer: Any, settings: Settings) -> None:
        """Take a started producer of `streams.kafka`."""
        self._producer = producer
        self._settings = settings

    async def bring_up(self, name: str, folder: Path, roles: Roles) -> None:
        """Publish it; raises KafkaError, InputError, or ArtefactError for a damaged one."""
        arrays, description = read_fitted(folder)
        read_weights(arrays, description)
        artefact = BaselineArtefact(
            name=name,
            digest=content_digest(arrays, description),
            arrays=arrays,
            description=description,
            made_ms=now_ms(),
        )
        headers = cloud_event_headers(
            artefact, source=SOURCE, event_id=artefact.digest, time_ms=artefact.made_ms
        )
        topic = CompactedTopic(self._settings, BASELINES)
        try:
            known = [key.decode() for key in await topic.read()]
        finally:
            await topic.close()
        await self._send(name, artefact.to_bytes(), headers)
        for other in set(known) - roles.in_use - {name}:
            await self._send(other, None, [])

    async def candidate(self, manifest: Manifest, folder: Path) -> Candidate:
        """Return it under the name of the baseline that it was fitted from."""
        digest = content_digest(*read_fitted(folder))
        return Candidate(BASELINE, manifest.facts.model, manifest.name, digest)

    async def _send(self, name: str, value: bytes | None, headers: Any) -> None:
        await self._producer.send_and_wait(
            self._settings.topics.name(BASELINES),
            key=name.encode(),
            value=value,
            headers=headers,
            partition=0,
        )
