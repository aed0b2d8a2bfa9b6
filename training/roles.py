"""Who serves after a release, a promotion, a rollback.

Comes in: who serves now, what is to change, the time. Goes out: the records for the models topic,
None for a role that is to be empty. Promise: pure; the champion changes before a challenger goes,
so that for a moment both roles may be one adapter's, and never neither.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from schemas.learning import ModelRelease, ModelRole
from streams.errors import InputError

Change = tuple[ModelRole, ModelRelease | None]
_REASON = 512


@dataclass(frozen=True, slots=True)
class Roles:
    """Who serves, as the models topic says; None: nobody was released to that role."""

    champion: ModelRelease | None = None
    challenger: ModelRelease | None = None

    @property
    def in_use(self) -> frozenset[str]:
        """Return the adapters that must stay loaded: both roles', and what can be gone back to."""
        known = [one for one in (self.champion, self.challenger) if one is not None]
        names = [name for one in known for name in (one.adapter, one.previous_adapter)]
        return frozenset(name for name in names if name)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An adapter that may come into service."""

    backend: str
    model: str
    adapter: str
    digest: str


def read_roles(values: Mapping[bytes, bytes]) -> Roles:
    """Read the models topic's present content; what is no release there counts as nothing."""
    found: dict[ModelRole, ModelRelease] = {}
    for value in values.values():
        try:
            release = ModelRelease.from_bytes(value)
        except ValidationError:
            continue
        found[release.role] = release
    return Roles(found.get(ModelRole.CHAMPION), found.get(ModelRole.CHALLENGER))


def released(
    candidate: Candidate, roles: Roles, share: float, reason: str, now_ms: int
) -> tuple[Change, ...]:
    """Return what puts `candidate` into service for `share` of the incidents; 1: for all."""
    if share >= 1.0:
        return promoted(candidate, roles, reason, now_ms)
    release = ModelRelease(
        role=ModelRole.CHALLENGER,
        backend=candidate.backend,
        model=candidate.model,
        adapter=candidate.adapter,
        adapter_digest=candidate.digest,
        share=share,
        reason=reason[:_REASON],
        released_ms=now_ms,
    )
    return ((ModelRole.CHALLENGER, release),)


def promoted(candidate: Candidate, roles: Roles, reason: str, now_ms: int) -> tuple[Change, ...]:
    """Return what makes `candidate` the champion, who serves now becoming the previous one."""
    before = roles.champion
    if before is not None and before.adapter == candidate.adapter:
        raise InputError(f"{candidate.adapter} is the champion already")
    release = ModelRelease(
        role=ModelRole.CHAMPION,
        backend=candidate.backend,
        model=candidate.model,
        adapter=candidate.adapter,
        adapter_digest=candidate.digest,
        # Without a champion the base model serves: that is what there is to go back to.
        previous_backend=before.backend if before else candidate.backend,
        previous_model=before.model if before else candidate.model,
        previous_adapter=before.adapter if before else None,
        previous_adapter_digest=before.adapter_digest if before else None,
        reason=reason[:_REASON],
        released_ms=now_ms,
    )
    changes: list[Change] = [(ModelRole.CHAMPION, release)]
    if roles.challenger is not None:
        changes.append((ModelRole.CHALLENGER, None))
    return tuple(changes)


def rolled_back(roles: Roles, reason: str, now_ms: int) -> tuple[Change, ...]:
    """Return what takes the challenger out, or the champion where there is none.

    Raises InputError where there is nothing to go back to.
    """
    if roles.challenger is not None:
        return ((ModelRole.CHALLENGER, None),)
    champion = roles.champion
    if champion is None or champion.previous_model is None:
        raise InputError("nothing was released before: there is nothing to go back to")
    back = ModelRelease(
        role=ModelRole.CHAMPION,
        backend=champion.previous_backend or champion.backend,
        model=champion.previous_model,
        adapter=champion.previous_adapter,
        adapter_digest=champion.previous_adapter_digest,
        reason=reason[:_REASON],
        released_ms=now_ms,
    )
    return ((ModelRole.CHAMPION, back),)
