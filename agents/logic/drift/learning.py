"""What one vote causes: a new score, perhaps a request, a promotion, a rollback.

Comes in: the state, a vote, who serves, now. Goes out: the next state and the records to publish.
Promise: the same vote on the same state causes the same, so a crash between the two is mended by
doing it again.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from agents.logic.drift.judgements import Arm, Judgements
from agents.logic.drift.release import Decision, Outcome, decide
from agents.logic.drift.scoring import score_of, votes_on
from agents.logic.drift.state import DriftRules, DriftState, Vote
from agents.logic.drift.trigger import Considered, consider, training_time_ms
from schemas.learning import (
    DriftScore,
    ModelRelease,
    ModelRole,
    RetrainingRequest,
    RetrainingResult,
    TrainingState,
)


@dataclass(frozen=True, slots=True)
class Roles:
    """Who serves, as the models topic says; None: nobody was released to that role."""

    champion: ModelRelease | None = None
    challenger: ModelRelease | None = None


@dataclass(frozen=True, slots=True)
class Effects:
    """What is to be published; `releases` holds None for a role that is to be empty."""

    scores: tuple[DriftScore, ...] = ()
    results: tuple[RetrainingResult, ...] = ()
    request: RetrainingRequest | None = None
    releases: tuple[tuple[ModelRole, ModelRelease | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known besides the votes."""

    roles: Roles
    judgements: Judgements
    now_ms: int
    rules: DriftRules


def plays(release: ModelRelease | None, arm: Arm) -> bool:
    """Tell whether `arm` is what `release` put into service.

    Servers name a base model as they like, so an adapter, whose name is of our making, decides.
    """
    if release is None or release.adapter != arm.adapter:
        return False
    return arm.adapter is not None or release.model == arm.model


def take_vote(state: DriftState, vote: Vote, scene: Scene) -> tuple[DriftState, Effects]:
    """Take in one vote."""
    before = state.vote_of(vote.incident, vote.voice)
    after = state.with_vote(vote, scene.now_ms, scene.rules)
    if after is state:
        return state, Effects()
    scores = [_score(after, vote.arm, scene)]
    if before is not None and before.arm != vote.arm:
        # The person spoke again, of a later revision that another model judged.
        scores.append(_score(after, before.arm, scene))
    after, considered = _consider(after, scores[0], vote, scene)
    after, releases, moved = _release(after, scene)
    request = _request(scores[0], considered, scene) if considered.asked else None
    result = _result(scores[0], considered, request)
    return after, Effects(tuple(scores), (result, *moved), request, releases)


def drop_vote(state: DriftState, vote: Vote | None, scene: Scene) -> tuple[DriftState, Effects]:
    """Take back one vote: its person said something else, or was erased."""
    if vote is None:
        return state, Effects()
    after = state.without_vote(vote)
    return after, Effects((_score(after, vote.arm, scene),))


def _score(state: DriftState, arm: Arm, scene: Scene) -> DriftScore:
    return score_of(state.votes, arm, scene.judgements, scene.now_ms, scene.rules)


def _consider(
    state: DriftState, score: DriftScore, vote: Vote, scene: Scene
) -> tuple[DriftState, Considered]:
    """Look at the score of who serves; of anybody else nothing is to be learnt any more."""
    arm = vote.arm
    if not _serves(arm, scene):
        if plays(scene.roles.challenger, arm):
            return state, Considered("a challenger stays or goes by its own feedback", None)
        return state, Considered(f"{arm.key} does not serve any more", None)
    episode = state.episode_of(arm)
    since = -1 if episode is None else episode.offset
    new = sum(kept.arm == arm and kept.offset > since for kept in state.votes)
    considered = consider(score, vote.offset, state.episodes, new, scene.now_ms, scene.rules)
    if considered.episode is not None and considered.episode != episode:
        state = state.with_episode(considered.episode)
    return state, considered


def _serves(arm: Arm, scene: Scene) -> bool:
    """Tell whether `arm` is the champion; where no adapter was released, who judges is."""
    champion, serving = scene.roles.champion, scene.judgements.serving
    if plays(champion, arm):
        return True
    if champion is not None and champion.adapter is not None:
        return False
    return serving is None or serving.arm == arm


def _request(score: DriftScore, considered: Considered, scene: Scene) -> RetrainingRequest:
    assert considered.episode is not None
    return RetrainingRequest(
        id=considered.episode.request_id,
        model=score.model,
        adapter=score.adapter,
        reason=considered.reason,
        drift=score.score,
        feedback_count=score.samples,
        scheduled_ms=training_time_ms(scene.now_ms, scene.rules.training_hours),
    )


def _result(
    score: DriftScore, considered: Considered, request: RetrainingRequest | None
) -> RetrainingResult:
    return RetrainingResult(
        request_id=request.id if request else None,
        model=score.model,
        triggered=request is not None,
        reason=considered.reason,
        feedback_count=score.samples,
        scheduled_time=request.scheduled_ms if request else None,
        state=TrainingState.SCHEDULED if request else TrainingState.NOT_TRIGGERED,
        adapter=score.adapter,
        figures={"drift": score.score},
    )


Moves = tuple[tuple[ModelRole, ModelRelease | None], ...]
_Moved = tuple[DriftState, Moves, tuple[RetrainingResult, ...]]


def _release(state: DriftState, scene: Scene) -> _Moved:
    """Promote or withdraw the challenger; without one, see whether the champion must go back."""
    champion, challenger = scene.roles.champion, scene.roles.challenger
    if challenger is not None:
        if champion is not None and _same(champion, challenger):
            # It was promoted, and the end of that was cut off.
            return state, ((ModelRole.CHALLENGER, None),), ()
        return _settle_challenger(state, champion, challenger, scene)
    if champion is not None and champion.previous_model is not None:
        return _settle_champion(state, champion, scene)
    return state, (), ()


def _settle_challenger(
    state: DriftState, champion: ModelRelease | None, challenger: ModelRelease, scene: Scene
) -> _Moved:
    if state.decided == _name(challenger):
        return state, (), ()
    serving = scene.judgements.serving
    mine = _votes(state, lambda arm: plays(challenger, arm), scene)
    theirs = _votes(state, lambda arm: _serves(arm, scene) and not plays(challenger, arm), scene)
    decision = decide(mine, theirs, scene.rules)
    if decision.outcome is Outcome.HOLD:
        return state, (), ()
    result = _moved(challenger, decision, len(mine))
    if decision.outcome is Outcome.ROLL_BACK:
        return _decided(state, challenger), ((ModelRole.CHALLENGER, None),), (result,)
    if champion is not None:
        previous = _previous(
            champion.backend, champion.model, champion.adapter, champion.adapter_digest
        )
    elif serving is not None:
        previous = _previous(serving.backend, serving.arm.model, serving.arm.adapter, None)
    else:
        previous = {}
    promoted = challenger.model_copy(
        update={
            "role": ModelRole.CHAMPION,
            "share": 1.0,
            "reason": result.reason,
            "released_ms": scene.now_ms,
            **previous,
        }
    )
    moves: Moves = ((ModelRole.CHAMPION, promoted), (ModelRole.CHALLENGER, None))
    return _decided(state, challenger), moves, (result,)


def _settle_champion(state: DriftState, champion: ModelRelease, scene: Scene) -> _Moved:
    assert champion.previous_model is not None
    if state.decided == _name(champion):
        return state, (), ()
    before = Arm(champion.previous_model, champion.previous_adapter)
    mine = _votes(state, lambda arm: plays(champion, arm), scene)
    theirs = votes_on(state.votes, before, scene.now_ms, scene.rules)
    decision = decide(mine, theirs, scene.rules)
    if decision.outcome is not Outcome.ROLL_BACK:
        return state, (), ()
    result = _moved(champion, decision, len(mine))
    back = ModelRelease(
        role=ModelRole.CHAMPION,
        backend=champion.previous_backend or champion.backend,
        model=champion.previous_model,
        adapter=champion.previous_adapter,
        adapter_digest=champion.previous_adapter_digest,
        reason=result.reason,
        released_ms=scene.now_ms,
    )
    return _decided(state, champion), ((ModelRole.CHAMPION, back),), (result,)


def _votes(state: DriftState, wanted: Callable[[Arm], bool], scene: Scene) -> list[Vote]:
    arms = dict.fromkeys(vote.arm for vote in state.votes if wanted(vote.arm))
    return [v for arm in arms for v in votes_on(state.votes, arm, scene.now_ms, scene.rules)]


def _same(one: ModelRelease, other: ModelRelease) -> bool:
    return (one.model, one.adapter) == (other.model, other.adapter)


def _name(release: ModelRelease) -> str:
    return f"{release.model}+{release.adapter}@{release.released_ms}"


def _decided(state: DriftState, release: ModelRelease) -> DriftState:
    return msgspec.structs.replace(state, decided=_name(release))


def _previous(
    backend: str, model: str, adapter: str | None, digest: str | None
) -> dict[str, str | None]:
    return {
        "previous_backend": backend,
        "previous_model": model,
        "previous_adapter": adapter,
        "previous_adapter_digest": digest,
    }


def _moved(release: ModelRelease, decision: Decision, samples: int) -> RetrainingResult:
    promoted = decision.outcome is Outcome.PROMOTE
    return RetrainingResult(
        model=release.model,
        triggered=False,
        reason=f"{'promoted' if promoted else 'rolled back'}: {decision.reason}"[:512],
        feedback_count=samples,
        state=TrainingState.PROMOTED if promoted else TrainingState.ROLLED_BACK,
        adapter=release.adapter,
    )
