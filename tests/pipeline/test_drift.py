"""A real `opspilot worker drift`: from what people say to a request, a promotion, a rollback."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
from stages import Follower, StageProcess, send, settings_for, variables_of

from agents.logic.feedback.signing import feedback_key
from opspilot.cli import run
from schemas.classification import Classification, IncidentBrief, Judge
from schemas.incident import LogAnalysis
from schemas.learning import (
    DriftScore,
    Feedback,
    ModelRelease,
    ModelRole,
    RetrainingRequest,
    RetrainingResult,
    TrainingState,
)
from schemas.topics import (
    CLASSIFICATIONS,
    DEAD_LETTERS,
    DRIFT,
    FEEDBACK,
    MODELS,
    TRAINING_REQUESTS,
    TRAINING_RESULTS,
)
from schemas.vocabulary import Category, IncidentStatus, Priority, Severity
from streams.admin import create_topics
from streams.clock import now_ms
from streams.settings import Settings

pytestmark = pytest.mark.kafka
MODEL, ADAPTER = "tiny", "tiny-2"
WORDS = 60
WAIT_MS = 1_500


def verdict(incident_id: str, adapter: str | None = None, revision: int = 1) -> Classification:
    analysis = LogAnalysis(summary="Refused.", severity=Severity.HIGH)
    return Classification(
        incident_id=incident_id,
        revision=revision,
        category=Category.NETWORK,
        subcategory="connection",
        severity=Severity.HIGH,
        priority=Priority.P2,
        confidence=0.8,
        summary="Refused.",
        judge=Judge(
            backend="openai",
            model=MODEL,
            adapter=adapter,
            variant="challenger" if adapter else "champion",
        ),
        incident=IncidentBrief(
            service="prod/shop/web",
            services=("prod/shop/web",),
            title="web: refused",
            status=IncidentStatus.OPEN,
            opened_ms=1,
            count=1,
            analysis=analysis,
        ),
    )


def word(incident_id: str, right: bool, adapter: str | None = None) -> Feedback:
    return Feedback(
        incident_id=incident_id,
        revision=1,
        person="ana",
        given_ms=now_ms(),
        category_correct=right,
        model=MODEL,
        adapter=adapter,
    )


class Bench:
    """The topics around the stage."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def judge(self, verdicts: Iterable[Classification]) -> None:
        messages = [(v.incident_id.encode(), v.to_bytes()) for v in verdicts]
        await self._send(CLASSIFICATIONS, messages)

    async def say(self, words: Iterable[Feedback]) -> None:
        await self._send(FEEDBACK, [(feedback_key(w).encode(), w.to_bytes()) for w in words])

    async def release(self, release: ModelRelease) -> None:
        await self._send(MODELS, [(release.role.value.encode(), release.to_bytes())])

    async def _send(self, topic, messages) -> None:
        name = self.settings.topics.name(topic)
        await send(self.settings.kafka.bootstrap, name, messages)


async def results_until(
    settings: Settings, samples: int, arm: str | None
) -> list[RetrainingResult]:
    """Read what came of the words until so many of one adapter's count."""

    def reached(values: list[bytes]) -> bool:
        return any(
            r.adapter == arm and r.feedback_count >= samples
            for r in map(RetrainingResult.from_bytes, values)
        )

    async with Follower(settings, TRAINING_RESULTS) as results:
        values = await results.until(reached, f"result of {samples} words")
    return [RetrainingResult.from_bytes(value) for value in values]


async def requests_of(settings: Settings) -> list[RetrainingRequest]:
    async with Follower(settings, TRAINING_REQUESTS) as requests:
        values = await requests.until(bool, "request")
    return [RetrainingRequest.from_bytes(value) for value in values]


async def test_drift_asks_once_across_a_kill_and_a_bad_challenger_goes(
    broker, topic_prefix: str, tmp_path: Path
):
    settings = settings_for(broker.bootstrap, topic_prefix)
    await create_topics(settings)
    bench = Bench(settings)
    variables = {"OPSPILOT_FEEDBACK__SINGLE_PERSON": "true", "OPSPILOT_DRIFT__MAX_PER_PERSON": "60"}
    incidents = [f"i{number}" for number in range(WORDS)]
    await bench.judge(map(verdict, incidents))
    words = [word(name, right=number % 5 > 1) for number, name in enumerate(incidents)]
    with StageProcess("drift", settings, tmp_path / "one", variables) as worker:
        await bench.say(words)
        # Killed as soon as the request is out: most likely before the state that remembers it.
        (request,) = await requests_of(settings)
        worker.child.kill()
        worker.child.wait(10.0)
    assert request.model == MODEL
    assert request.feedback_count == 50
    assert request.drift == 0.4

    with StageProcess("drift", settings, tmp_path / "two", variables) as worker:
        results = await results_until(settings, WORDS, None)
        assert [r.id for r in await requests_of(settings)] == [request.id]
        asked = {r.request_id for r in results if r.triggered}
        assert asked == {request.id}
        assert results[0].reason == "1 of the 50 samples needed"
        assert request.id in results[-1].reason
        async with Follower(settings, DRIFT) as drift:
            (*_, last) = map(DriftScore.from_bytes, await drift.until(bool, "score"))
        assert (last.score, last.samples, last.people) == (0.4, WORDS, 1)
        assert last.error_rate_low < 0.4 < last.error_rate_high
        # The gauges follow the state, which is written after the score is published.
        labels = f'{{adapter="",model="{MODEL}"}}'
        for line in (
            f"model_drift_score{labels} 0.4",
            f"incident_classification_accuracy{labels} 0.6",
        ):
            worker.until(lambda line=line: line in worker.get("/metrics")[1], line)

        champion = ModelRelease(
            role=ModelRole.CHAMPION, backend="openai", model=MODEL, released_ms=now_ms()
        )
        challenger = champion.model_copy(
            update={"role": ModelRole.CHALLENGER, "adapter": ADAPTER, "share": 0.5}
        )
        await bench.release(champion)
        await bench.release(challenger)
        tried = [f"c{number}" for number in range(40)]
        await bench.judge(verdict(name, ADAPTER) for name in tried)
        await bench.say(word(name, right=number % 10 == 0, adapter=ADAPTER)
                        for number, name in enumerate(tried))  # fmt: skip
        results = await results_until(settings, 40, ADAPTER)
        (moved,) = [r for r in results if r.state is TrainingState.ROLLED_BACK]
        assert moved.adapter == ADAPTER
        assert "27 of 30 verdicts called wrong" in moved.reason
        async with Follower(settings, MODELS) as models:
            # The tombstone of the challenger is no value; the champion was left as it was.
            values = await models.until(lambda found: len(found) >= 2, "releases")
        assert {ModelRelease.from_bytes(value).adapter for value in values} == {None, ADAPTER}
        assert [r.id for r in await requests_of(settings)] == [request.id]
        worker.child.terminate()
        assert worker.wait_for_end() == 0


async def test_feedback_by_command_counts_waits_moves_and_is_erased(
    broker, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    settings = settings_for(broker.bootstrap, topic_prefix)
    await create_topics(settings)
    bench = Bench(settings)
    for name, value in variables_of(settings).items():
        monkeypatch.setenv(name, value)
    await bench.judge([verdict("known")])
    variables = {"OPSPILOT_FEEDBACK__WAIT_MS": str(WAIT_MS)}
    with StageProcess("drift", settings, tmp_path, variables) as worker:
        said = ["feedback", "known", "--category", "Database", "--comment", "mail ana@example.com"]
        assert await asyncio.to_thread(run, [*said, "--person", "ana"]) == 0
        results = await results_until(settings, 1, None)
        assert results[0].figures == {"drift": 1.0}
        async with Follower(settings, FEEDBACK) as feedback:
            (value,) = await feedback.until(bool, "feedback")
        record = Feedback.from_bytes(value)
        assert (record.category_correct, record.corrected_category) == (False, Category.DATABASE)
        assert "ana@example.com" not in (record.comment or "")

        # Under the incident's bare id words would push each other out: it is moved to its own key.
        foreign = word("known", right=True).model_copy(update={"person": "ben"})
        topic = settings.topics.name(FEEDBACK)
        await send(broker.bootstrap, topic, [(b"known", foreign.to_bytes())])
        late, never = word("late", right=True), word("never", right=True)
        await bench.say([late, never])
        await bench.judge([verdict("late")])
        await results_until(settings, 2, None)
        async with Follower(settings, DEAD_LETTERS) as letters:
            await letters.until(bool, "dead letter")
        assert letters.values == [never.to_bytes()]
        assert letters.headers[0]["opspilot-reason"] == b"unknown-incident"
        assert b"'never'" in letters.headers[0]["opspilot-message"]

        # The one voice of all who do not sign said "right" last; erasing ana takes back "late".
        assert await asyncio.to_thread(run, ["feedback", "erase", "ana", "--yes"]) == 0
        assert "erased" in capsys.readouterr().out
        async with Follower(settings, DRIFT) as drift:
            values = await drift.until(
                lambda found: len(found) > 3 and DriftScore.from_bytes(found[-1]).samples == 1,
                "score without ana",
            )
        assert DriftScore.from_bytes(values[-1]).score == 0.0
        assert await asyncio.to_thread(run, ["feedback", "erase", "ana", "--yes"]) == 1
        worker.child.terminate()
        assert worker.wait_for_end() == 0
