"""What is done to a running pipeline, and when: SIGKILL, SIGSTOP past the session timeout, SIGTERM.

Comes in: a plan from a seed. Goes out: the plan carried out, moment by moment, each when the stage
has done a given share of its work. Promise: a stage that is not hurt goes on; what was hurt is
brought back by the supervisor as in production; every moment is carried out, also in an idle stage.
"""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from aiokafka.errors import KafkaError

from opspilot.reading import TopicReader
from streams.clock import FreezeWatch
from streams.errors import OpsPilotError

from .pipeline import MARKS, SESSION_TIMEOUT_MS, Pipeline

POLL_SECONDS = 0.05
PATIENCE_SECONDS = 45.0
"""A stage that makes no step for so long has no more work: its moment comes now."""
BEYOND_SESSION_SECONDS = SESSION_TIMEOUT_MS / 1000 + 1.5


class Harm(StrEnum):
    """What may happen to a process."""

    KILL = "SIGKILL"
    FREEZE = "SIGSTOP past the session timeout, SIGCONT"
    STOP = "SIGTERM"


@dataclass(frozen=True, slots=True)
class Moment:
    """One harm to one member, when its stage has done `share` of its work."""

    member: str
    harm: Harm
    share: float


def plan(
    stage: str, members: Sequence[str], harms: Sequence[Harm], seed: int, until: float = 0.9
) -> list[Moment]:
    """Return one random moment for each harm, in the order of time."""
    chance = random.Random(f"{seed}/{stage}")
    shares = sorted(chance.uniform(0.02, until) for _ in harms)
    mixed = list(harms)
    chance.shuffle(mixed)
    return [
        Moment(chance.choice(list(members)), harm, share)
        for harm, share in zip(mixed, shares, strict=True)
    ]


async def work_done(pipeline: Pipeline) -> dict[str, int]:
    """Return how many records stand on the topic that marks each stage's steps."""
    names = {stage: pipeline.settings.topics.name(topic) for stage, topic in MARKS.items()}
    async with TopicReader(pipeline.settings.kafka, [], ends_only=[*names.values()]) as reader:
        return {
            stage: sum((await reader.end_offsets(name)).values()) for stage, name in names.items()
        }


async def carry_out(
    pipeline: Pipeline, plans: Mapping[str, Sequence[Moment]], total: Mapping[str, int]
) -> None:
    """Hurt the stages as planned, all at once; `total` is the work that each has in a whole run."""
    names = [pipeline.settings.topics.name(MARKS[stage]) for stage in plans]
    async with (
        TopicReader(pipeline.settings.kafka, [], ends_only=names) as reader,
        asyncio.TaskGroup() as tasks,
    ):
        for stage, moments in plans.items():
            tasks.create_task(_hurt_stage(pipeline, reader, stage, moments, total[stage]))


async def _hurt_stage(
    pipeline: Pipeline, reader: TopicReader, stage: str, moments: Sequence[Moment], total: int
) -> None:
    topic = pipeline.settings.topics.name(MARKS[stage])
    for moment in moments:
        await _reach(reader, topic, int(moment.share * total))
        await hurt(pipeline, moment)


async def _reach(reader: TopicReader, topic: str, steps: int) -> None:
    """Wait until the topic holds `steps` records, or no more come."""
    best, moved = -1, time.monotonic()
    while True:
        try:
            done = sum((await reader.end_offsets(topic)).values())
        except (KafkaError, OpsPilotError):
            done = best
        if done >= steps:
            return
        if done > best:
            best, moved = done, time.monotonic()
        if time.monotonic() - moved > PATIENCE_SECONDS:
            return
        await asyncio.sleep(POLL_SECONDS)


async def hurt(pipeline: Pipeline, moment: Moment) -> None:
    """Carry out one moment; a thawed process must end by itself."""
    child = await pipeline.running(moment.member)
    if moment.harm is Harm.KILL:
        child.kill()
    elif moment.harm is Harm.STOP:
        child.terminate()
        await asyncio.to_thread(child.wait, 60.0)
    else:
        # A process that has not begun to watch has no partitions to lose: it just goes on.
        await pipeline.ready(moment.member)
        child = await pipeline.running(moment.member)
        child.freeze()
        # The one wait that is a duration: the broker must throw the member out meanwhile.
        await asyncio.sleep(BEYOND_SESSION_SECONDS)
        child.thaw()
        ended = await asyncio.to_thread(child.wait, 60.0)
        code = child.exit_code()
        if not ended or code != FreezeWatch.EXIT_STATUS:
            raise OpsPilotError(
                f"{moment.member} stood still past its session timeout and did not end by itself "
                f"({code}): {pipeline.logs([moment.member])}"
            )
