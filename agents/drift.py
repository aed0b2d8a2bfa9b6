"""The drift stage: feedback in, scores, requests and releases out; one active member.

Comes in: Feedback. Goes out: DriftScore, RetrainingResult, now and then RetrainingRequest and
ModelRelease. Promise: these are with the broker, then the state that reflects them, then the word
is acknowledged; a request that the broker has is not made again.
"""

import asyncio

import msgspec

from agents.logic.drift.judgements import Arm, Judgement
from agents.logic.drift.learning import Effects, Scene, drop_vote, take_vote
from agents.logic.drift.scoring import score_of
from agents.logic.drift.state import DriftRules, DriftState, Vote, Waiting
from agents.logic.feedback.signing import feedback_key, voice_of
from agents.logic.feedback.wording import calls_wrong
from agents.state_codec import pack, position_of, unpack
from agents.surroundings import Surroundings
from schemas.learning import DriftScore, Feedback
from schemas.topics import (
    DRIFT,
    DRIFT_STATE,
    FEEDBACK,
    MODELS,
    TRAINING_REQUESTS,
    TRAINING_RESULTS,
)
from streams import metrics
from streams.app import Stage
from streams.clock import now_ms
from streams.deadletters import DeadLetter
from streams.delivery import Delivery, Removal
from streams.learningsettings import DAY_MS, HOUR_MS, TriggerPolicy
from streams.outbox import Letter
from streams.personkeys import read_person_keys
from streams.settings import Settings

STAGE = "drift"
STATE_KEY = b"drift"
PARTITION = 0
"""The only one of feedback and of the state."""
TEND_SECONDS = 2.0
FUTURE_MS = 300_000
"""A word dated further ahead than this counts from when it was taken in."""
_OF_ARMS = (
    metrics.MODEL_DRIFT_SCORE,
    metrics.CLASSIFICATION_ACCURACY,
    metrics.FEEDBACK_SAMPLES,
    metrics.DRIFT_EPISODE,
)


def make_stage(settings: Settings) -> Stage:
    """Make the stage; nothing runs before its worker does. Raises ConfigurationError."""
    stage = Stage(STAGE, settings)
    work = _Drift(stage, settings)
    stage.consume(FEEDBACK, [Feedback], work.take, work.forget)
    stage.tend(FEEDBACK, work.tend, TEND_SECONDS)
    return stage


def drift_rules(settings: Settings) -> DriftRules:
    """Return the windows, thresholds and bounds of drift."""
    drift, feedback = settings.drift, settings.feedback
    return DriftRules(
        threshold=drift.threshold,
        confident=drift.policy is TriggerPolicy.CONFIDENT,
        min_samples=drift.min_samples,
        window_ms=drift.window_days * DAY_MS,
        window_samples=drift.window_samples,
        max_per_person=drift.max_per_person,
        cool_down_ms=drift.cool_down_hours * HOUR_MS,
        training_hours=drift.training_hours,
        wait_ms=feedback.wait_ms,
        max_waiting=feedback.max_waiting,
        release_floor=drift.release_floor,
        promotion_margin=drift.promotion_margin,
        single_person=feedback.single_person,
    )


class _Drift:
    """The stage's work: one word, one removal or one look at what waits at a time."""

    def __init__(self, stage: Stage, settings: Settings) -> None:
        self._stage = stage
        self._settings = settings
        self._rules = drift_rules(settings)
        self._keys = read_person_keys(settings.feedback.keys_file)
        self._table = stage.table(DRIFT_STATE, position_of)
        self._around = Surroundings(settings, now_ms() - self._rules.window_ms)
        self._lock = asyncio.Lock()
        self._memo: tuple[bytes, DriftState] | None = None
        self._measured: set[Arm] = set()
        for outcome in ("right", "wrong", "withdrawn"):
            metrics.FEEDBACK.labels(outcome)

    async def take(self, delivery: Delivery) -> None:
        """Take in one word of feedback."""
        feedback = delivery.record
        assert isinstance(feedback, Feedback)
        own_key = feedback_key(feedback).encode()
        if delivery.key != own_key:
            # Compaction keeps one word per key: under a foreign one others would be lost.
            await self._move(delivery, own_key)
            return
        voice = voice_of(feedback, self._keys)
        async with self._lock:
            state = self._read()
            if delivery.offset <= state.position:
                return
            state = msgspec.structs.replace(state, position=delivery.offset)
            await self._around.refresh()
            judgement = self._around.judgements.find(feedback)
            if judgement is None:
                waiting = Waiting(
                    own_key, delivery.value, delivery.offset, delivery.appended_ms, voice
                )
                await self._write(await self._wait(state, waiting))
                return
            now = delivery.appended_ms
            await self._count(state, feedback, voice, judgement, delivery.offset, now)

    async def forget(self, removal: Removal) -> None:
        """Take back the word that stood under a key: its author is erased, or it was moved."""
        async with self._lock:
            state = self._read()
            if removal.offset <= state.position:
                return
            key = removal.key.decode("utf-8", "replace")
            arms = {vote.arm for vote in state.votes if vote.key == key}
            after = msgspec.structs.replace(state.without_author(key), position=removal.offset)
            scores = tuple(self._score(after, arm) for arm in arms)
            await self._publish(Effects(scores), removal.offset, now_ms())
            await self._write(after)

    async def tend(self) -> None:
        """See whether the incidents of waiting words are known by now, or have come too late."""
        async with self._lock:
            state = self._read()
            if state.waiting:
                await self._around.refresh()
            for word in state.waiting:
                await self._settle(word)
            self._measure(self._read())

    async def _settle(self, word: Waiting) -> None:
        state, now = self._read(), now_ms()
        feedback = Feedback.from_bytes(word.value)
        judgement = self._around.judgements.find(feedback)
        if judgement is None and now - word.appended_ms < self._rules.wait_ms:
            return
        rest = tuple(other for other in state.waiting if other != word)
        state = msgspec.structs.replace(state, waiting=rest)
        if judgement is None:
            waited = f"within {self._rules.wait_ms // 1000} s"
            await self._set_aside(word, feedback, f"no verdict on it came {waited}")
            await self._write(state)
        else:
            await self._count(state, feedback, word.voice, judgement, word.offset, now)

    async def _wait(self, state: DriftState, word: Waiting) -> DriftState:
        waiting = (*state.waiting, word)
        if len(waiting) > self._rules.max_waiting:
            oldest, *rest = waiting
            why = f"more than {self._rules.max_waiting} words wait for their incidents"
            await self._set_aside(oldest, Feedback.from_bytes(oldest.value), why)
            waiting = tuple(rest)
        return msgspec.structs.replace(state, waiting=waiting)

    async def _count(
        self,
        state: DriftState,
        feedback: Feedback,
        voice: str,
        judgement: Judgement,
        offset: int,
        now: int,
    ) -> None:
        """Have one word count; publish what it causes, then write the state."""
        scene = Scene(await self._around.roles(), self._around.judgements, now, self._rules)
        wrong = calls_wrong(feedback, judgement.category, judgement.severity)
        if wrong is None:
            known = state.vote_of(feedback.incident_id, voice)
            after, effects = drop_vote(state, known, scene)
        else:
            given = feedback.given_ms if feedback.given_ms <= now + FUTURE_MS else now
            vote = Vote(
                feedback.incident_id,
                voice,
                feedback_key(feedback),
                judgement.arm.model,
                judgement.arm.adapter,
                judgement.category,
                wrong,
                given,
                offset,
            )
            after, effects = take_vote(state, vote, scene)
        await self._publish(effects, offset, now)
        await self._write(after)
        outcome = "withdrawn" if wrong is None else "wrong" if wrong else "right"
        metrics.FEEDBACK.labels(outcome).inc()
        self._measure(after)

    async def _publish(self, effects: Effects, offset: int, now: int) -> None:
        letters = [
            Letter(DRIFT, Arm(s.model, s.adapter).key, s, f"drift-{offset}", s.at_ms)
            for s in effects.scores
        ]
        request = effects.request
        if request is not None and not await self._around.was_asked(request.id):
            letters.append(Letter(TRAINING_REQUESTS, request.model, request, request.id, now))
        letters += [
            Letter(TRAINING_RESULTS, r.model, r, f"result-{offset}-{r.state}", now)
            for r in effects.results
        ]
        releases = [(role, release) for role, release in effects.releases if release is not None]
        letters += [Letter(MODELS, role, r, f"{role}-{offset}", now) for role, r in releases]
        await self._stage.outbox.publish(letters)
        ended = [(str(role).encode(), None) for role, r in effects.releases if r is None]
        if ended:
            # After the new champion: for a moment both roles may be the same, never neither.
            models = self._settings.topics.name(MODELS)
            await self._stage.outbox.publish_raw(models, ended, partition=PARTITION)

    async def _move(self, delivery: Delivery, own_key: bytes) -> None:
        topic = self._settings.topics.name(FEEDBACK)
        messages = [(own_key, delivery.value), (delivery.key, None)]
        headers = [(k, v) for k, v in delivery.headers.items() if isinstance(v, bytes)]
        await self._stage.outbox.publish_raw(
            topic, messages[:1], partition=PARTITION, headers=headers
        )
        await self._stage.outbox.publish_raw(topic, messages[1:], partition=PARTITION)

    async def _set_aside(self, word: Waiting, feedback: Feedback, why: str) -> None:
        letter = DeadLetter(
            STAGE,
            self._settings.topics.name(FEEDBACK),
            PARTITION,
            word.offset,
            "unknown-incident",
            f"incidentId={feedback.incident_id!r} revision {feedback.revision}: {why}",
            now_ms(),
            word.key,
            word.value,
        )
        await self._stage.outbox.set_aside(letter)

    def _read(self) -> DriftState:
        value = self._table.read(STATE_KEY)
        if value is None:
            return DriftState()
        if self._memo is None or self._memo[0] is not value:
            self._memo = value, DriftState.from_bytes(unpack(value)[1])
        return self._memo[1]

    async def _write(self, state: DriftState) -> None:
        value = pack(state.position, state.to_bytes())
        await self._table.write(STATE_KEY, value, partition=PARTITION)
        self._memo = value, state

    def _score(self, state: DriftState, arm: Arm) -> DriftScore:
        return score_of(state.votes, arm, self._around.judgements, now_ms(), self._rules)

    def _measure(self, state: DriftState) -> None:
        metrics.FEEDBACK_WAITING.set(len(state.waiting))
        arms = {vote.arm for vote in state.votes}
        # An arm of which no word counts any more has no score either. Only such are removed: a
        # scrape may come at any moment, and must not find a gap.
        for arm in self._measured - arms:
            for gauge in _OF_ARMS:
                gauge.remove(arm.model, arm.adapter or "")
        self._measured = arms
        for arm in arms:
            score = self._score(state, arm)
            labels = arm.model, arm.adapter or ""
            metrics.MODEL_DRIFT_SCORE.labels(*labels).set(score.score)
            metrics.CLASSIFICATION_ACCURACY.labels(*labels).set(1 - score.error_rate)
            metrics.FEEDBACK_SAMPLES.labels(*labels).set(score.samples)
            episode = state.episode_of(arm)
            metrics.DRIFT_EPISODE.labels(*labels).set(episode is not None and episode.open)
