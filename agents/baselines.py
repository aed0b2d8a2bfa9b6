"""Baselines fitted anew from feedback, by the releases that name them.

Comes in: the baselines topic, read to its end before the first answer. Goes out: Classifiers.
Promise: only content whose digest is the release's judges; what is missing or damaged is said once
and is None, so that the committed baseline judges instead; what was read is kept.
"""

import hashlib
import logging
from collections.abc import Mapping
from typing import Protocol

from pydantic import ValidationError

from agents.logic.judging.classifier import ArtefactError, Classifier, read_weights
from schemas.learning import BaselineArtefact, ModelRelease

log = logging.getLogger(__name__)

_KEPT = 4
"""Champion, challenger, and what they may have replaced a moment ago."""


class Content(Protocol):
    """A compacted topic as a dictionary."""

    async def read(self) -> Mapping[bytes, bytes]:
        """Return all values by key; raises BrokerError while it was never read."""

    async def close(self) -> None:
        """Let go of the connection."""


def content_digest(arrays: bytes, description: str) -> str:
    """Return the SHA-256 of what a baseline judges by."""
    parts = (hashlib.sha256(part).hexdigest() for part in (arrays, description.encode()))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class Baselines:
    """Reads and remembers them."""

    def __init__(self, source: Content) -> None:
        self._source = source
        self._read: dict[tuple[str, str | None], Classifier] = {}
        self._missed: set[tuple[str, str | None]] = set()

    async def find(self, release: ModelRelease) -> Classifier | None:
        """Return what judges for a release of a baseline; None where it is not to be had.

        Raises BrokerError while the topic was never read to its end.
        """
        assert release.adapter is not None
        key = release.adapter, release.adapter_digest
        if key not in self._read:
            value = (await self._source.read()).get(release.adapter.encode())
            try:
                found = self._take(value, release)
            except ArtefactError as error:
                if key not in self._missed:
                    log.error("the %s is not used: %s", release.role, error)
                self._missed.add(key)
                return None
            while len(self._read) >= _KEPT:
                del self._read[next(iter(self._read))]
            self._read[key] = found
        return self._read[key]

    async def close(self) -> None:
        """Let go of the topic."""
        await self._source.close()

    def _take(self, value: bytes | None, release: ModelRelease) -> Classifier:
        """Read one artefact; raises ArtefactError that says what is wrong with it."""
        if value is None:
            raise ArtefactError(f"baseline {release.adapter} is not in its topic")
        try:
            artefact = BaselineArtefact.from_bytes(value)
        except ValidationError as error:
            raise ArtefactError(f"baseline {release.adapter} cannot be read: {error}") from None
        digest = content_digest(artefact.arrays, artefact.description)
        if digest != release.adapter_digest:
            raise ArtefactError(
                f"baseline {release.adapter} has the digest {digest[:12]}, its release names "
                f"{(release.adapter_digest or 'none')[:12]}"
            )
        try:
            return Classifier(read_weights(artefact.arrays, artefact.description))
        except (ValueError, KeyError, OSError) as error:
            raise ArtefactError(f"baseline {release.adapter} is damaged: {error!r}") from None
