"""A steady stream for a long time, with a model server that fails a tenth of its calls.

`make soak`: 5,000 lines a second for ten minutes (SOAK_SECONDS, SOAK_LINES_PER_SECOND). At the end
the ledger balances, nothing lags, every failure has its incident and plan, the model server did
both answer and fail, no process was started again, and no process's memory has grown.
"""

import asyncio
import os
import statistics
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opspilot.local.ports import free_port
from opspilot.local.supervisor import Supervisor
from opspilot.local.worker import WorkerSpec

from .delays import delays
from .memory import Growth, Memory
from .outcome import read_outcome
from .pipeline import STAGES, Pipeline
from .scraping import samples
from .soak_page import FULL_SECONDS, Soak, page
from .steady import Steady

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
RATE = int(os.environ.get("SOAK_LINES_PER_SECOND", "5000"))
REPORT = os.environ.get("SOAK_REPORT")
FAILURE_RATE = 0.1
WARM_UP_SHARE = 1 / 3
MOST_GROWTH_MIB = 24.0
"""After the warm-up of a full run: less than a leak, more than what an allocator keeps."""
SAMPLE_SECONDS = 2.0
TESTS = Path(__file__).parents[1]

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.long]


def fake_tgi(port: int) -> WorkerSpec:
    command = (
        sys.executable, "-m", "fakes.tgi_server", "--port", str(port),
        "--failure-rate", str(FAILURE_RATE), "--delay", "0.3",
    )  # fmt: skip
    return WorkerSpec("tgi", command, {"PYTHONPATH": str(TESTS)}, "FAKE_TGI_PORT", port, "/health")


async def test_a_steady_stream_and_a_model_server_that_fails(broker, topic_prefix, tmp_path):
    port = free_port()
    model = {
        "OPSPILOT_MODEL__BACKEND": "tgi",
        "OPSPILOT_MODEL__URL": f"http://127.0.0.1:{port}",
        # A second try would hide nearly every failure: each is to reach the stage.
        "OPSPILOT_MODEL__RETRIES": "0",
    }
    with Supervisor([fake_tgi(port)], tmp_path / "model") as server:
        await asyncio.to_thread(server.wait_ready, 60.0)
        async with Pipeline(
            broker.bootstrap, topic_prefix, tmp_path, batch_records=20_000, variables=model
        ) as pipeline:
            await pipeline.start()
            memory = Memory()
            async with Steady(pipeline.settings, RATE, 40, 20.0, 8.0) as steady:
                began = time.monotonic()
                while time.monotonic() < began + SECONDS:
                    steady.check()
                    memory.sample(pids(pipeline, broker))
                    await asyncio.sleep(SAMPLE_SECONDS)
                ran = time.monotonic() - began
                written = await steady.finish()
            ended = time.monotonic()
            await pipeline.wait_until_done()
            drained = time.monotonic() - ended
            outcome = await read_outcome(pipeline.settings, written)
            calls = await model_calls(pipeline)
            found = await delays(pipeline.settings, steady.episodes)
            restarts = pipeline.restarts()
    growth = [memory.growth(name, WARM_UP_SHARE) for name in memory.samples]
    plans = [one.plan for one in found if one.plan is not None]
    soak = Soak(
        seconds=ran,
        asked_rate=RATE,
        records=written,
        received=outcome.balance.received,
        late=sum(part.windows.late for part in outcome.balance.partitions),
        drained_seconds=drained,
        failures=len(found),
        median_plan_seconds=statistics.median(plans) if plans else None,
        worst_plan_seconds=max(plans, default=None),
        calls=calls,
        growth=growth,
        warm_up_share=WARM_UP_SHARE,
        day=datetime.now(UTC).date().isoformat(),
    )
    text = page(soak)
    print(text)
    problems = outcome.problems()
    problems += [f"{outcome.dead_letters} dead letters"] if outcome.dead_letters else []
    problems += [f"{name} was started again: {how}" for name, how in restarts.items() if how[0]]
    problems += [f"{one.episode} has no plan" for one in found if one.plan is None]
    problems += grown(growth) if ran >= FULL_SECONDS else []
    assert not problems, "\n".join(problems)
    assert calls["classify: answered"] > 0, calls
    if ran >= FULL_SECONDS:
        harmed = [name for name in calls if not name.endswith((": answered", ": bad-answer"))]
        assert harmed, f"the server failed no call: {calls}"
    if REPORT:
        Path(REPORT).write_text(text, encoding="utf-8")


def pids(pipeline: Pipeline, broker) -> dict[str, int]:
    found = {
        status.name.rpartition("-")[0]: status.pid
        for status in pipeline.supervisor.status()
        if status.pid is not None
    }
    return found | ({"kafka": broker.embedded.pid} if broker.embedded else {})


async def model_calls(pipeline: Pipeline) -> Counter[str]:
    """Return the calls to the model server by stage and what came of them."""
    calls: Counter[str] = Counter()
    for stage in ("classify", "recommend"):
        for name, labels, value in await samples(pipeline, pipeline.names[stage][0]):
            if name == "opspilot_llm_calls_total":
                calls[f"{stage}: {labels['outcome']}"] += int(value)
    return calls


def grown(growth: list[Growth]) -> list[str]:
    """Name the stages that hold more at the end; Kafka's heap is the JVM's own affair."""
    return [
        f"{one.name} grew from {one.first_mib:.0f} to {one.last_mib:.0f} MiB after its warm-up"
        for one in growth
        if one.name in STAGES and one.last_mib - one.first_mib > MOST_GROWTH_MIB
    ]
