"""A job's phases, without Kafka and without torch: what is done stays done."""

from pathlib import Path

import pytest

from schemas.learning import RetrainingRequest, TrainingState
from streams.errors import BrokerError, InputError
from streams.settings import Settings
from streams.trainingsettings import TrainingSettings
from training import jobs
from training.jobs import Job, Settled

REQUEST = RetrainingRequest(
    id="Request 1/../x", model="m", reason="drift", drift=0.4, feedback_count=51, scheduled_ms=9
)


class Around:
    def __init__(self, *faults) -> None:
        self.done: list[str] = []
        self.faults = list(faults)

    async def prepare(self, request, data) -> None:
        data.mkdir()
        self.done.append("prepare")

    async def settle(self, request, name, adapter) -> Settled:
        self.done.append("settle")
        if self.faults:
            raise self.faults.pop(0)
        return Settled(TrainingState.REFUSED, "not better", {"accuracy": 0.5})


@pytest.fixture
def children(monkeypatch):
    """What each child in turn does: status and fault; None: it trains."""
    plan: list = []

    async def run_child(order, log, told):
        await told(0.5, {"loss": 1.0})
        if plan and (ending := plan.pop(0)) is not None:
            return ending
        (Path(order[-1]).parent / "adapter").mkdir()
        return 0, None

    monkeypatch.setattr(jobs, "_run_child", run_child)
    return plan


async def _run(tmp_path, around):
    settings = Settings(training=TrainingSettings(folder=tmp_path))
    job = Job(REQUEST, settings, around)
    heard = []

    async def told(progress, figures) -> None:
        heard.append(progress)

    return job, await job.run(told), heard


async def test_a_job_ends_once_and_says_the_same_again(tmp_path, children):
    around = Around()
    job, result, heard = await _run(tmp_path, around)
    assert (result.state, result.reason, result.adapter) == (
        TrainingState.REFUSED,
        "not better",
        "triage-request-1----x",
    )
    assert result.figures == {"accuracy": 0.5} and heard == [0.5]
    assert around.done == ["prepare", "settle"]
    assert job.ended() == result
    assert [path.parent.name for path in tmp_path.rglob("result.json")] == ["request-1----x"]


async def test_a_lost_broker_is_no_result_and_nothing_is_trained_twice(tmp_path, children):
    around = Around(BrokerError("Kafka is away"))
    with pytest.raises(BrokerError):
        await _run(tmp_path, around)
    children[:] = [(1, "must not be called")]
    _, result, heard = await _run(tmp_path, around)
    assert (result.state, heard) == (TrainingState.REFUSED, [])
    assert around.done == ["prepare", "settle", "settle"]


async def test_a_child_that_dies_is_taken_up_a_bounded_number_of_times(tmp_path, children):
    children[:] = [(-9, None), (-9, None), None]
    _, result, heard = await _run(tmp_path / "twice", Around())
    assert (result.state, len(heard)) == (TrainingState.REFUSED, 3)
    children[:] = [(-9, None)] * 3
    _, result, _ = await _run(tmp_path / "always", Around())
    assert result.state is TrainingState.FAILED
    assert "ended 3 times, last with status -9" in result.reason


async def test_what_a_child_says_is_the_reason(tmp_path, children):
    children[:] = [(1, "all examples are longer than 8 tokens")]
    _, result, heard = await _run(tmp_path, Around())
    assert (result.state, len(heard)) == (TrainingState.FAILED, 1)
    assert result.reason == "all examples are longer than 8 tokens"


async def test_a_gate_that_cannot_be_asked_is_a_failure(tmp_path, children):
    _, result, _ = await _run(tmp_path, Around(InputError("no canaries")))
    assert (result.state, result.reason) == (TrainingState.FAILED, "no canaries")
