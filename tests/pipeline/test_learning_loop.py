"""The whole loop in real processes: from people's words on verdicts to another model that judges.

A tiny language model, taught three of six labels, is served by `opspilot worker model`; what
`classify`, `drift` and `trainer` then do of it is what they do of any model.
"""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest
from learning_people import PEOPLE, Loop, TrainerProcess
from learning_world import MISTAKEN, half_taught, write_replay
from stages import Follower, StageProcess, settings_for
from tiny_gguf import teach_model

from opspilot.local.ports import free_port
from schemas.learning import (
    ENDED,
    ModelRole,
    RetrainingRequest,
    TrainingState,
)
from schemas.topics import (
    TRAINING_REQUESTS,
)
from schemas.vocabulary import Category
from streams.admin import create_topics
from training.dataset.examples import Split
from training.dataset.folder import read_split
from training.lora.lessons import Lesson
from training.registry import Registry

pytestmark = pytest.mark.kafka
KNOWN = [category for category in Category if category not in MISTAKEN]


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
