"""Members come and go in the middle of the lines: the same incidents, and every line accounted for.

ingest goes from one member to three and back, analyze from one to two and back, both at once. Each
new member must have done work of its own before it is taken away again: a change that came too
early or too late proves nothing, and fails.
"""

import asyncio
import os

import pytest

from .disturb import Work, reach
from .lines import raw_records
from .outcome import read_outcome
from .pipeline import PARTITIONS, Pipeline, wait_for
from .report import note
from .scraping import total

LINES = int(os.environ.get("SCALE_LINES", "200000"))
GROW_AT, SHRINK_AT = 0.05, 0.6
WAIT_SECONDS = 120.0
STEPS_OF = {"ingest": "opspilot_lines_in_total", "analyze": "opspilot_digests_applied_total"}

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.long]


async def scale(
    pipeline: Pipeline, work: Work, stage: str, more: list[str], whole: int
) -> dict[str, float]:
    """Add members, let each work, take them away; returns how many steps each had done."""
    await reach(work, stage, int(GROW_AT * whole))
    # Together, as a scaler does it: the second rebalance may come in the middle of the first.
    async with asyncio.TaskGroup() as group:
        for name in more:
            group.create_task(pipeline.add(name))
    done: dict[str, float] = {}

    async def each_has_worked() -> bool:
        done.update({name: await total(pipeline, [name], STEPS_OF[stage]) for name in more})
        return all(done.values())

    await wait_for(each_has_worked, lambda: f"{stage} did no work with {done}", WAIT_SECONDS)
    await reach(work, stage, int(SHRINK_AT * whole))
    done.update({name: await total(pipeline, [name], STEPS_OF[stage]) for name in more})
    for name in more:
        await pipeline.remove(name)
    assert await work.done(stage) < whole, f"{stage} had no work left when it was alone again"
    return done


async def test_more_members_and_fewer_again(broker, topic_prefix, tmp_path, reference_of):
    reference = await reference_of(LINES)
    what = "ingest 1, 3, 1 members; analyze 1, 2, 1 members"
    with note(what, "ingest, analyze", LINES, 0) as row:
        async with Pipeline(broker.bootstrap, topic_prefix, tmp_path) as pipeline:
            written = await pipeline.write(raw_records(LINES, PARTITIONS))
            await pipeline.start()
            async with Work(pipeline) as work, asyncio.TaskGroup() as group:
                ingest = group.create_task(
                    scale(
                        pipeline, work, "ingest", ["ingest-2", "ingest-3"], reference.work["ingest"]
                    )
                )
                analyze = group.create_task(
                    scale(pipeline, work, "analyze", ["analyze-2"], reference.work["analyze"])
                )
            await pipeline.wait_until_done()
            row.outcome = await read_outcome(pipeline.settings, written)
            done = {**ingest.result(), **analyze.result()}
            print(f"{written} records; steps of the members that came and went: {done}")
            problems = [
                *row.outcome.problems(),
                *row.outcome.differences(reference.outcome),
                *([f"{row.outcome.dead_letters} dead letters"] if row.outcome.dead_letters else []),
            ]
            assert not problems, "\n".join(problems) + pipeline.logs()
