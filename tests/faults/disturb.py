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
from typing import Self

from aiokafka.errors import KafkaError

from opspilot.local.worker import WorkerState
from opspilot.reading import GroupOffsets, TopicReader
from streams.clock import FreezeWatch
from streams.errors import OpsPilotError

from .pipeline import MARKS, SESSION_TIMEOUT_MS, STAGES, Pipeline

POLL_SECONDS = 0.02
PATIENCE_SECONDS = 45.0
"""A stage that makes no step for so long has no more work: its moment comes now."""
LONGEST_DELAY_SECONDS = 0.06
BEYOND_SESSION_SECONDS = SESSION_TIMEOUT_MS / 1000 + 1.5


class Harm(StrEnum):
    """What may happen to a process."""

    KILL = "SIGKILL"
    FREEZE = "SIGSTOP past the session timeout, SIGCONT"
    STOP = "SIGTERM"


@dataclass(frozen=True, slots=True)
class Moment:
    """One harm to one member, `delay_seconds` after its stage has done `share` of its work.

    Work shows when it is committed or written; without the delay every harm would come right then.
    """

    member: str
    harm: Harm
    share: float
    delay_seconds: float = 0.0


def plan(
    stage: str, members: Sequence[str], harms: Sequence[Harm], seed: int, until: float = 0.9
) -> list[Moment]:
    """Return one random moment for each harm, in the order of time."""
    chance = random.Random(f"{seed}/{stage}")
    shares = sorted(chance.uniform(0.02, until) for _ in harms)
    mixed = list(harms)
    chance.shuffle(mixed)
    return [
        Moment(
            chance.choice(list(members)), harm, share, chance.uniform(0.0, LONGEST_DELAY_SECONDS)
        )
        for harm, share in zip(mixed, shares, strict=True)
    ]


class Work:
    """Tells how much each stage has done: offsets for ingest, steps written for the others."""

    def __init__(self, pipeline: Pipeline) -> None:
        topics = pipeline.settings.topics
        self._names = {stage: topics.name(topic) for stage, topic in MARKS.items()}
        kafka = pipeline.settings.kafka
        self._ends = TopicReader(kafka, [], ends_only=[*self._names.values()])
        self._groups = GroupOffsets(kafka)
        self._ingest_group = f"{topics.prefix}ingest"

    async def __aenter__(self) -> Self:
        await self._ends.__aenter__()
        await self._groups.__aenter__()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self._groups.__aexit__(None, None, None)
        await self._ends.__aexit__(None, None, None)

    async def done(self, stage: str) -> int:
        """Return how much `stage` has done; 0 while the broker does not answer."""
        try:
            if stage == "ingest":
                return sum((await self._groups.committed(self._ingest_group)).values())
            return sum((await self._ends.end_offsets(self._names[stage])).values())
        except (KafkaError, OpsPilotError):
            return 0


async def work_done(pipeline: Pipeline) -> dict[str, int]:
    """Return how much each stage has done."""
    async with Work(pipeline) as work:
        return {stage: await work.done(stage) for stage in STAGES}


async def carry_out(
    pipeline: Pipeline, plans: Mapping[str, Sequence[Moment]], total: Mapping[str, int]
) -> None:
    """Hurt the stages as planned, all at once; `total` is the work that each has in a whole run."""
    async with Work(pipeline) as work, asyncio.TaskGroup() as tasks:
        for stage, moments in plans.items():
            tasks.create_task(_hurt_stage(pipeline, work, stage, moments, total[stage]))


async def _hurt_stage(
    pipeline: Pipeline, work: Work, stage: str, moments: Sequence[Moment], total: int
) -> None:
    floor = 0
    for moment in moments:
        await reach(work, stage, min(max(int(moment.share * total), floor), int(0.97 * total)))
        await hurt(pipeline, moment)
        # Who is ready has not yet begun: the next harm waits until there is work to interrupt.
        floor = await work.done(stage) + total // 50


async def reach(work: Work, stage: str, steps: int) -> None:
    """Wait until the stage has done `steps`, or does no more."""
    best, moved = -1, time.monotonic()
    while (done := await work.done(stage)) < steps:
        if done > best:
            best, moved = done, time.monotonic()
        if time.monotonic() - moved > PATIENCE_SECONDS:
            return
        await asyncio.sleep(POLL_SECONDS)


async def hurt(pipeline: Pipeline, moment: Moment) -> None:
    """Carry out one moment on a member that is at work; a thawed process must end by itself."""
    member = await _at_work(pipeline, moment.member)
    await asyncio.sleep(moment.delay_seconds)
    child = await pipeline.running(member)
    if moment.harm is Harm.KILL:
        child.kill()
    elif moment.harm is Harm.STOP:
        child.terminate()
        await asyncio.to_thread(child.wait, 60.0)
    else:
        child.freeze()
        # The one wait that is a duration: the broker must throw the member out meanwhile.
        await asyncio.sleep(BEYOND_SESSION_SECONDS)
        child.thaw()
        ended = await asyncio.to_thread(child.wait, 60.0)
        code = child.exit_code()
        if not ended or code != FreezeWatch.EXIT_STATUS:
            raise OpsPilotError(
                f"{member} stood still past its session timeout and did not end by itself "
                f"({code}): {pipeline.logs([member])}"
            )


async def _at_work(pipeline: Pipeline, member: str) -> str:
    """Return `member`, or another of its stage that is ready while it is not: harm must hurt."""
    names = pipeline.names[member.rpartition("-")[0]]
    while True:
        ready = [
            status.name
            for status in pipeline.supervisor.status()
            if status.name in names and status.state is WorkerState.READY
        ]
        if ready:
            return member if member in ready else ready[0]
        await asyncio.sleep(POLL_SECONDS)
