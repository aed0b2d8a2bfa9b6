"""Where the baseline judges, what people correct ends in another baseline that judges.

No language model and no torch: `classify`, `drift` and `trainer` as real processes on a real
broker; the baseline that was fitted anew reaches classify through its topic.
"""

import json
import os
import subprocess
import sys
from contextlib import ExitStack

import pytest
from learning_people import PEOPLE, Loop, TrainerProcess
from learning_world import write_replay
from stages import Follower, StageProcess, settings_for, variables_of

from agents.logic.judging.classifier import is_baseline, load_classifier
from schemas.learning import ENDED, ModelRole, RetrainingRequest, TrainingState
from schemas.topics import TRAINING_REQUESTS
from schemas.vocabulary import Category
from streams.admin import create_topics
from training.registry import Registry

pytestmark = pytest.mark.kafka
ROUNDS = 14
"""Incidents per category: a quarter of their wordings is held back for the gate."""


async def test_a_baseline_learns_what_people_corrected(broker, topic_prefix, tmp_path):
    settings = settings_for(broker.bootstrap, topic_prefix)
    await create_topics(settings)
    replay, keys = tmp_path / "replay", tmp_path / "keys.json"
    keys.write_text(json.dumps(PEOPLE))
    write_replay(replay)
    variables = {
        "OPSPILOT_FEEDBACK__KEYS_FILE": str(keys),
        "OPSPILOT_DRIFT__RELEASE_FLOOR": "10",
        "OPSPILOT_RELEASE__REGISTRY": str(tmp_path / "registry"),
        "OPSPILOT_RELEASE__CHALLENGER_SHARE": "0.5",
        "OPSPILOT_TRAINING__FOLDER": str(tmp_path / "training"),
        "OPSPILOT_TRAINING__REPLAY": str(replay),
    }
    loop = Loop(settings)
    with ExitStack() as running:

        def start(stage: str, folder: str = "") -> StageProcess:
            kind = TrainerProcess if stage == "trainer" else StageProcess
            process = kind(stage, settings, tmp_path / (folder or stage), variables)
            return running.enter_context(process)

        stages = [start(stage) for stage in ("classify", "drift", "trainer")]
        for process in stages:
            process.wait_ready()
        trainer = stages[-1]

        # Words of a world that the committed baseline has never read: its verdicts are guesses.
        before = await loop.judged([*Category] * ROUNDS)
        assert {(v.judge.model, v.judge.adapter) for v in before} == {
            (load_classifier().name, None)
        }
        wrong = sum(not loop.is_right(verdict) for verdict in before)
        assert wrong > 0.6 * len(before)
        await loop.say(before, ("ana", "ben", "cleo"))
        async with Follower(settings, TRAINING_REQUESTS) as requests:
            (value,) = await requests.until(bool, "request")
        request = RetrainingRequest.from_bytes(value)
        assert is_baseline(request.model)
        assert request.drift > 0.2

        # It is fitted anew, passes the gate, and judges a share.
        result = await loop.result(ENDED, request.id)
        assert result.state is TrainingState.RELEASED, f"{result.reason}\n{trainer.log[-3000:]}"
        assert result.figures["candidate_accuracy"] > result.figures["baseline_accuracy"] + 0.2
        name = result.adapter
        assert name is not None
        assert (await loop.released(ModelRole.CHALLENGER, name)).backend == "baseline"
        await loop.judged_by(name, "challenger")
        tried = [v for v in await loop.judged([*Category] * 6) if v.judge.adapter == name]
        assert {v.judge.variant for v in tried} == {"challenger"}
        assert sum(map(loop.is_right, tried)) > 0.6 * len(tried)

        # It is found good by those who see it, and judges all; a restarted stage reads it anew.
        await loop.say([verdict for verdict in tried if loop.is_right(verdict)], PEOPLE)
        await loop.released(ModelRole.CHAMPION, name)
        await loop.judged_by(name, "champion")
        stages[0].child.stop(20.0)
        start("classify", "again").wait_ready()
        after = await loop.judged([*Category] * 3)
        assert {verdict.judge.adapter for verdict in after} == {name}

        # A person takes it back, and the committed one judges again; and gives it back.
        environment = {**os.environ, **variables_of(settings), **variables}
        for arguments, adapter in ((["rollback"], None), (["promote", name], name)):
            command = [sys.executable, "-m", "opspilot", "models", *arguments]
            subprocess.run(command, env=environment, check=True, timeout=60)
            await loop.judged_by(adapter, "champion")
    kept = Registry.at(str(tmp_path / "registry")).all()
    assert [(one.name, one.facts.passed) for one in kept] == [(name, True)]
