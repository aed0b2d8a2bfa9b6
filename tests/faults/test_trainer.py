"""The trainer under SIGKILL in each phase: one adapter comes of it, whole, trained once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_models import save_tiny_base

from schemas.learning import RetrainingRequest, RetrainingResult, TrainingState
from schemas.topics import DEAD_LETTERS, TRAINING_REQUESTS, TRAINING_RESULTS
from streams.admin import create_topics
from streams.kafka import make_producer, started
from streams.settings import KafkaSettings, Settings, TopicSettings
from streams.tailing import TopicTail
from training.registry import Registry
from training.stores import StoreError

pytestmark = [pytest.mark.kafka, pytest.mark.faults]

MOMENTS = ("preparing", "training", "trained", "publishing", "published", "ended")
TESTS = Path(__file__).parent.parent
LONGEST_SECONDS = 120.0


def _request(number: int) -> RetrainingRequest:
    return RetrainingRequest(
        id=f"request-{number}",
        model="tiny",
        reason="drift",
        drift=0.5,
        feedback_count=60,
        scheduled_ms=0,
    )


async def _send(settings: Settings, *values: bytes) -> None:
    async with started(make_producer(settings.kafka), settings.kafka) as producer:
        for value in values:
            await producer.send_and_wait(
                settings.topics.name(TRAINING_REQUESTS), key=b"tiny", value=value
            )


async def _read(settings: Settings, topic) -> list:
    found: list = []
    tail = TopicTail(settings, topic)
    try:
        await tail.read_new(found.append)
    finally:
        await tail.close()
    return found


async def _results(settings: Settings) -> list[RetrainingResult]:
    return [RetrainingResult.from_bytes(r.value) for r in await _read(settings, TRAINING_RESULTS)]


def _environment(settings: Settings, folder: Path, base: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]),
        "OMP_NUM_THREADS": "1",
        "OPSPILOT_KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
        # A killed member is to be missed soon: the test has no time to wait for it.
        "OPSPILOT_KAFKA__SESSION_TIMEOUT_MS": "6000",
        "OPSPILOT_TOPICS__PREFIX": settings.topics.prefix,
        "OPSPILOT_TRAINING__BASE": str(base),
        "OPSPILOT_TRAINING__FOLDER": str(folder / "training"),
        "OPSPILOT_TRAINING__QUANTIZE": "none",
        "OPSPILOT_TRAINING__DEVICE": "cpu",
        "OPSPILOT_TRAINING__EPOCHS": "4",
        "OPSPILOT_RELEASE__REGISTRY": str(folder / "registry"),
    }


def _start(moment: str, environment: dict[str, str]) -> subprocess.Popen:
    command = [sys.executable, str(TESTS / "faults" / "trainer_process.py"), moment]
    return subprocess.Popen(command, env=environment, cwd=TESTS.parent)


def _adapters(folder: Path) -> list:
    try:
        return Registry.at(str(folder / "registry")).all()
    except StoreError:
        return []


async def test_killed_in_each_phase_it_ends_with_one_whole_adapter(broker, topic_prefix, tmp_path):
    settings = Settings(
        kafka=KafkaSettings(bootstrap=broker.bootstrap), topics=TopicSettings(prefix=topic_prefix)
    )
    await create_topics(settings)
    environment = _environment(settings, tmp_path, save_tiny_base(tmp_path / "base"))
    request = _request(1).to_bytes()
    await _send(settings, b"not a request", request)
    for moment in MOMENTS:
        process = _start(moment, environment)
        assert process.wait(LONGEST_SECONDS) == -signal.SIGKILL, moment
        adapters = _adapters(tmp_path)
        assert bool(adapters) == (moment in ("published", "ended")), moment
        for one in adapters:
            # `fetch` compares every file with its digest.
            Registry.at(str(tmp_path / "registry")).fetch(one.name, tmp_path / "fetched" / moment)
        assert all(r.state is TrainingState.RUNNING for r in await _results(settings)), moment

    trained = tmp_path / "training" / "jobs" / "request-1" / "adapter" / "adapter.gguf"
    made_ns = trained.stat().st_mtime_ns
    card = json.loads(trained.with_name("card.json").read_text())
    assert card["training"]["resumed_at"] > 0

    await _send(settings, request)  # delivered once more
    process = _start("never", environment)
    deadline = time.monotonic() + LONGEST_SECONDS
    ends: list[RetrainingResult] = []
    while len(ends) < 2 and time.monotonic() < deadline:
        ends = [r for r in await _results(settings) if r.state is not TrainingState.RUNNING]
    process.send_signal(signal.SIGTERM)
    assert process.wait(LONGEST_SECONDS) == 0
    assert [(r.state, r.adapter) for r in ends] == [
        (TrainingState.RELEASED, "triage-request-1")
    ] * 2
    assert trained.stat().st_mtime_ns == made_ns
    assert [one.name for one in _adapters(tmp_path)] == ["triage-request-1"]
    (letter,) = await _read(settings, DEAD_LETTERS)
    assert letter.value == b"not a request"
