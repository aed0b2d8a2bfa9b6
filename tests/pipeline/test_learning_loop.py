"""The whole loop in real processes: from people's words on verdicts to another model that judges.

A tiny language model, taught three of six labels, is served by `opspilot worker model`; what
`classify`, `drift` and `trainer` then do of it is what they do of any model.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from learning_world import MISTAKEN, half_taught, make_incident, write_replay
from stages import Follower, StageProcess, send, settings_for
from tiny_gguf import teach_model

from agents.logic.feedback.signing import feedback_key, sign
from agents.logic.judging.classifier import load_classifier
from agents.logic.windows.grading import Grader
from opspilot.local.ports import free_port
from schemas.classification import Classification
from schemas.learning import (
    ENDED,
    Feedback,
    ModelRelease,
    ModelRole,
    RetrainingRequest,
    RetrainingResult,
    TrainingState,
)
from schemas.topics import (
    CLASSIFICATIONS,
    FEEDBACK,
    INCIDENTS,
    MODELS,
    TRAINING_REQUESTS,
    TRAINING_RESULTS,
)
from schemas.vocabulary import Category
from streams.admin import create_topics
from streams.clock import now_ms
from streams.settings import Settings
from training.dataset.examples import Split
from training.dataset.folder import read_split
from training.lora.lessons import Lesson
from training.registry import Registry

pytestmark = pytest.mark.kafka
PEOPLE = {name: f"a key that only {name} has" for name in ("ana", "ben", "cleo", "dan")}
KNOWN = [category for category in Category if category not in MISTAKEN]
MOST_TRIES = 40


class TrainerProcess(StageProcess):
    """`opspilot trainer`, which is no `worker`."""

    @property
    def command(self) -> tuple[str, ...]:
        return (sys.executable, "-m", "opspilot", "trainer")


class Loop:
    """The topics around the processes, and the people who read and write them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.truths: dict[str, Category] = {}
        self._grader = Grader(load_classifier())
        self._number = 0

    async def judged(self, categories: Iterable[Category]) -> list[Classification]:
        """Let incidents of these categories happen; return their verdicts."""
        made = []
        for category in categories:
            self._number += 1
            made.append(make_incident(category, self._number, self._grader))
            self.truths[made[-1].id] = category
        await self._send(INCIDENTS, [(one.id.encode(), one.to_bytes()) for one in made])
        wanted = {one.id for one in made}
        async with Follower(self.settings, CLASSIFICATIONS) as verdicts:
            values = await verdicts.until(
                lambda found: (
                    wanted <= {v.incident_id for v in map(Classification.from_bytes, found)}
                ),
                f"verdicts on {len(made)} incidents",
            )
        found = map(Classification.from_bytes, values)
        return [verdict for verdict in found if verdict.incident_id in wanted]

    async def judged_by(self, adapter: str, variant: str) -> None:
        """Let incidents happen until one is judged by the adapter in this part."""
        for _ in range(MOST_TRIES):
            (verdict,) = await self.judged([Category.NETWORK])
            if (verdict.judge.adapter, verdict.judge.variant) == (adapter, variant):
                return
        raise AssertionError(f"{adapter} is no {variant}: {verdict.judge}")

    def is_right(self, verdict: Classification) -> bool:
        """Tell whether a verdict names the true category."""
        return verdict.category is self.truths[verdict.incident_id]

    async def say(
        self, verdicts: Iterable[Classification], people: Iterable[str], lying=False
    ) -> int:
        """Let each of the people say of each verdict whether it is right, or that it is wrong."""
        words = [
            sign(self._word(verdict, person, lying), PEOPLE[person].encode())
            for verdict in verdicts
            for person in people
        ]
        messages = [(feedback_key(word).encode(), word.to_bytes()) for word in words]
        await self._send(FEEDBACK, messages)
        return len(words)

    async def ask_for_training(self, request: RetrainingRequest) -> None:
        """Ask as drift does."""
        await self._send(TRAINING_REQUESTS, [(request.model.encode(), request.to_bytes())])

    async def result(self, states: Sequence[TrainingState], request: str | None = None):
        """Return the first result of these states, of one request if it is named."""

        def wanted(value: bytes) -> bool:
            result = RetrainingResult.from_bytes(value)
            return result.state in states and request in (None, result.request_id)

        async with Follower(self.settings, TRAINING_RESULTS) as results:
            values = await results.until(lambda found: any(map(wanted, found)), f"result {states}")
        return RetrainingResult.from_bytes(next(filter(wanted, values)))

    async def released(self, role: ModelRole, adapter: str | None) -> ModelRelease:
        """Return the release of an adapter to a role, once it is there."""

        def wanted(value: bytes) -> bool:
            release = ModelRelease.from_bytes(value)
            return (release.role, release.adapter) == (role, adapter)

        async with Follower(self.settings, MODELS) as releases:
            values = await releases.until(
                lambda found: any(map(wanted, found)), f"{role} {adapter}"
            )
        return ModelRelease.from_bytes(next(filter(wanted, values)))

    def _word(self, verdict: Classification, person: str, lying: bool) -> Feedback:
        right = self.is_right(verdict) and not lying
        return Feedback(
            incident_id=verdict.incident_id,
            revision=verdict.revision,
            person=person,
            given_ms=now_ms(),
            category_correct=right,
            corrected_category=None if right or lying else self.truths[verdict.incident_id],
            model=verdict.judge.model,
            adapter=verdict.judge.adapter,
        )

    async def _send(self, topic, messages) -> None:
        name = self.settings.topics.name(topic)
        await send(self.settings.kafka.bootstrap, name, messages)


async def test_wrong_verdicts_end_in_another_model_that_judges(broker, topic_prefix, tmp_path):
    settings = settings_for(broker.bootstrap, topic_prefix)
    await create_topics(settings)
    replay, base, keys = tmp_path / "replay", tmp_path / "tiny.gguf", tmp_path / "keys.json"
    keys.write_text(json.dumps(PEOPLE))
    variables = variables_for(tmp_path, base, replay, keys)
    loop = Loop(settings)
    with ExitStack() as running:

        def start(stage: str, **more: str) -> StageProcess:
            kind = TrainerProcess if stage == "trainer" else StageProcess
            process = kind(stage, settings, tmp_path / stage, {**variables, **more})
            return running.enter_context(process)

        stages = [start(stage) for stage in ("classify", "drift", "trainer")]
        write_replay(replay)
        lessons = half_taught(read_split(replay, Split.TRAIN))
        teach_model(base, [Lesson(one.messages, one.completion) for one in lessons])
        for process in (*stages, start("model")):
            process.wait_ready()
        trainer = stages[-1]

        # The model mistakes three categories, and people say so.
        before = await loop.judged([*KNOWN * 6, *MISTAKEN, *MISTAKEN, *MISTAKEN])
        before = [v for v in before if (v.judge.model, v.judge.adapter) == ("tiny", None)]
        assert len(before) > 20
        wrong = sum(not loop.is_right(verdict) for verdict in before)
        assert 0.2 < wrong / len(before) < 0.5
        assert await loop.say(before, ("ana", "ben", "cleo")) > 50
        async with Follower(settings, TRAINING_REQUESTS) as requests:
            (value,) = await requests.until(bool, "request")
        request = RetrainingRequest.from_bytes(value)
        assert request.drift > 0.2
        assert request.feedback_count >= 50

        # An adapter is trained, passes the gate, and judges a share.
        result = await loop.result(ENDED, request.id)
        assert result.state is TrainingState.RELEASED, f"{result.reason}\n{trainer.log[-3000:]}"
        assert result.figures["candidate_accuracy"] > result.figures["in_service_accuracy"] + 0.2
        name = result.adapter
        assert name is not None
        assert (await loop.released(ModelRole.CHALLENGER, name)).share == 0.5
        await loop.judged_by(name, "challenger")
        tried = [v for v in await loop.judged([*MISTAKEN] * 5) if v.judge.adapter == name]
        assert {v.judge.variant for v in tried} == {"challenger"}
        assert sum(map(loop.is_right, tried)) > len(tried) / 2

        # It is found good by those who see it, and judges all.
        good = [verdict for verdict in tried if loop.is_right(verdict)]
        await loop.say(good, PEOPLE)
        await loop.released(ModelRole.CHAMPION, name)
        await loop.judged_by(name, "champion")
        after = await loop.judged([*MISTAKEN] * 7)
        after = [verdict for verdict in after if verdict.judge.adapter == name]
        assert len(after) > 15, "one that says nothing usable now and then has the baseline answer"
        assert {verdict.judge.variant for verdict in after} == {"champion"}
        assert sum(map(loop.is_right, after)) > len(after) / 2

        # One that was trained badly is refused.
        trainer.child.stop(20.0)
        start("trainer", OPSPILOT_TRAINING__LEARNING_RATE="0.1", OPSPILOT_TRAINING__EPOCHS="1")
        bad = request.model_copy(update={"id": "bad"})
        await loop.ask_for_training(bad)

        # What was released goes when people no longer like it, whoever of them is left out.
        await loop.say(after, PEOPLE, lying=True)
        moved = await loop.result([TrainingState.ROLLED_BACK])
        assert moved.adapter == name
        assert (await loop.released(ModelRole.CHAMPION, None)).model == "tiny"

        refused = await loop.result(ENDED, bad.id)
        assert refused.state is TrainingState.REFUSED, refused.reason
        adapters = Registry.at(str(tmp_path / "registry")).all()
        assert {one.name: one.facts.passed for one in adapters} == {name: True, "triage-bad": False}
        (last,) = await loop.judged([Category.NETWORK])
        assert (last.judge.adapter, last.judge.fallback_reason) == (None, None)


def variables_for(folder: Path, base: Path, replay: Path, keys: Path) -> dict[str, str]:
    """Return the settings of all processes."""
    port = free_port()
    return {
        "OMP_NUM_THREADS": "1",
        "OPSPILOT_MODEL__BACKEND": "openai",
        "OPSPILOT_MODEL__URL": f"http://127.0.0.1:{port}/v1",
        "OPSPILOT_MODEL__MAX_CLASSIFY_TOKENS": "250",
        "OPSPILOT_MODEL__CALLS_PER_SERVICE_HOUR": "1000",
        "OPSPILOT_MODEL__LOCAL_FILE": str(base),
        "OPSPILOT_MODEL__LOCAL_PORT": str(port),
        "OPSPILOT_MODEL__LOCAL_ADAPTER_FOLDER": str(folder / "adapters"),
        "OPSPILOT_FEEDBACK__KEYS_FILE": str(keys),
        "OPSPILOT_DRIFT__RELEASE_FLOOR": "10",
        "OPSPILOT_RELEASE__REGISTRY": str(folder / "registry"),
        "OPSPILOT_RELEASE__CHALLENGER_SHARE": "0.5",
        "OPSPILOT_TRAINING__BASE": str(base),
        "OPSPILOT_TRAINING__FOLDER": str(folder / "training"),
        "OPSPILOT_TRAINING__REPLAY": str(replay),
        "OPSPILOT_TRAINING__QUANTIZE": "none",
        "OPSPILOT_TRAINING__DEVICE": "cpu",
        "OPSPILOT_TRAINING__RECOMPUTE": "false",
        "OPSPILOT_TRAINING__LEARNING_RATE": "0.01",
        "OPSPILOT_TRAINING__EPOCHS": "4",
    }
