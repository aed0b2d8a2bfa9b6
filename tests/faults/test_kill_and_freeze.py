"""Whatever is killed or frozen, and whenever: the same incidents, and every line accounted for."""

import asyncio
import os
import random
from pathlib import Path

import pytest

from .conftest import Reference
from .disturb import Harm, Moment, Work, carry_out, plan, reach
from .lines import raw_records
from .outcome import Outcome, read_outcome
from .pipeline import PARTITIONS, STAGES, Pipeline
from .report import note

LINES = int(os.environ.get("FAULTS_LINES", "50000"))
SHORT_LINES = int(os.environ.get("FAULTS_SHORT_LINES", "12000"))
SEED = int(os.environ.get("FAULTS_SEED", random.SystemRandom().randrange(1_000_000)))
TIMES = 10
PAIRED = {"ingest": 2, "analyze": 2}

pytestmark = [pytest.mark.kafka, pytest.mark.faults]


async def disturbed(
    broker, prefix: str, directory: Path, reference: Reference, plans: dict[str, list[Moment]]
) -> Outcome:
    """Run the same lines, hurt the stages by plan, and return what came of it."""
    async with Pipeline(broker.bootstrap, prefix, directory, PAIRED) as pipeline:
        written = await pipeline.write(raw_records(reference.lines, PARTITIONS))
        pipeline.supervisor.start()
        await carry_out(pipeline, plans, reference.work)
        await pipeline.wait_until_done()
        outcome = await read_outcome(pipeline.settings, written)
        check(outcome, reference, pipeline, plans)
    return outcome


def check(
    outcome: Outcome, reference: Reference, pipeline: Pipeline, plans: dict[str, list[Moment]]
) -> None:
    problems = [*outcome.problems(), *outcome.differences(reference.outcome)]
    if outcome.dead_letters or outcome.unreadable:
        problems.append(f"{outcome.dead_letters} messages went to the dead letters")
    done = "\n".join(f"  {moment}" for moments in plans.values() for moment in moments)
    assert not problems, (
        "\n".join(problems)
        + f"\nFAULTS_SEED={SEED} FAULTS_LINES={reference.lines} does it again. What was done:\n"
        + f"{done}\n{pipeline.restarts()}{pipeline.logs()}"
    )


def plans_for(stages, harms: list[Harm]) -> dict[str, list[Moment]]:
    return {
        stage: plan(stage, [f"{stage}-{i + 1}" for i in range(PAIRED.get(stage, 1))], harms, SEED)
        for stage in stages
    }


async def test_each_stage_killed_and_two_frozen_change_nothing(
    broker, topic_prefix, tmp_path, reference_of
):
    reference = await reference_of(SHORT_LINES)
    plans = plans_for(STAGES, [Harm.KILL, Harm.KILL])
    frozen = plans_for(["ingest", "analyze"], [Harm.KILL, Harm.KILL, Harm.FREEZE])
    await disturbed(broker, topic_prefix, tmp_path, reference, plans | frozen)


@pytest.mark.long
@pytest.mark.parametrize("harm", [Harm.KILL, Harm.FREEZE], ids=lambda harm: harm.name.lower())
@pytest.mark.parametrize("stage", STAGES)
async def test_ten_random_moments_of_one_stage(
    stage, harm, broker, topic_prefix, tmp_path, reference_of
):
    reference = await reference_of(LINES)
    plans = plans_for([stage], [harm] * TIMES)
    with note(f"{TIMES} times {harm.value}", stage, LINES, SEED) as row:
        row.outcome = await disturbed(broker, topic_prefix, tmp_path, reference, plans)


@pytest.mark.long
async def test_every_stage_told_to_stop_again_and_again(
    broker, topic_prefix, tmp_path, reference_of
):
    reference = await reference_of(LINES)
    plans = plans_for(STAGES, [Harm.STOP] * (TIMES // 2))
    with note(f"{TIMES // 2} times {Harm.STOP.value} each", "all", LINES, SEED) as row:
        row.outcome = await disturbed(broker, topic_prefix, tmp_path, reference, plans)


@pytest.mark.long
async def test_the_broker_is_stopped_and_started(broker, topic_prefix, tmp_path, reference_of):
    if broker.embedded is None:
        pytest.fail("stopping the broker needs the embedded one: run without -m docker")
    reference = await reference_of(LINES)
    with note("broker stopped and started, then killed and started", "all", LINES, SEED) as row:
        async with Pipeline(broker.bootstrap, topic_prefix, tmp_path, PAIRED) as pipeline:
            written = await pipeline.write(raw_records(LINES, PARTITIONS))
            pipeline.supervisor.start()
            chance = random.Random(SEED)
            async with Work(pipeline) as work:
                await reach(work, "analyze", int(reference.work["analyze"] * 0.25))
                await asyncio.to_thread(broker.embedded.stop)
                await asyncio.sleep(chance.uniform(1.0, 8.0))
                await asyncio.to_thread(broker.embedded.start)
                await reach(work, "analyze", int(reference.work["analyze"] * 0.6))
                await asyncio.to_thread(broker.embedded.kill)
                await asyncio.sleep(chance.uniform(0.0, 2.0))
                await asyncio.to_thread(broker.embedded.start)
            await pipeline.wait_until_done()
            row.outcome = await read_outcome(pipeline.settings, written)
            check(row.outcome, reference, pipeline, {})
