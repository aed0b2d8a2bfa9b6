"""Each stage replaced one process at a time under load: SIGTERM, drain, start; nothing is lost.

Lines are written at live speed all the while, and one service after another begins to fail. Every
failure must become an incident and a plan, the ledger must balance without a late line; how long
it took, before and during the upgrade, is reported and never asserted.
"""

import os
import statistics
import time
from pathlib import Path

import pytest

from .delays import Delay, delays
from .outcome import read_outcome
from .pipeline import STAGES, Pipeline
from .steady import Steady

RATE = int(os.environ.get("ROLLING_LINES_PER_SECOND", "1000"))
CALM_EPISODES = int(os.environ.get("ROLLING_CALM_EPISODES", "4"))
MEMBERS = int(os.environ.get("ROLLING_MEMBERS", "2"))
EPISODE_EVERY_SECONDS, EPISODE_SECONDS = 12.0, 8.0
REPORT = os.environ.get("ROLLING_REPORT")

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.long]


async def test_every_process_is_replaced_under_load(broker, topic_prefix, tmp_path):
    members = dict.fromkeys(STAGES, MEMBERS)
    async with Pipeline(
        broker.bootstrap, topic_prefix, tmp_path, members, batch_records=20_000
    ) as pipeline:
        await pipeline.start()
        old = {name: pipeline.supervisor.child(name).pid for name in pipeline.all_names}
        async with Steady(
            pipeline.settings, RATE, 100, EPISODE_EVERY_SECONDS, EPISODE_SECONDS
        ) as steady:
            await steady.until(lambda: len(steady.episodes) == CALM_EPISODES + 1)
            began = time.monotonic()
            for stage in STAGES:
                seen = len(steady.episodes)
                for name in list(pipeline.names[stage]):
                    await pipeline.remove(name)
                    await pipeline.add(name)
                await steady.until(lambda seen=seen: len(steady.episodes) > seen)
            took = time.monotonic() - began
            written = await steady.finish()
        await pipeline.wait_until_done()
        outcome = await read_outcome(pipeline.settings, written)
        found = await delays(pipeline.settings, steady.episodes)
        new = {name: pipeline.supervisor.child(name).pid for name in pipeline.all_names}
    assert all(new[name] != old[name] for name in old)
    text = page(written, took, found, outcome.balance.received)
    print(text)
    problems = outcome.problems()
    late = sum(part.windows.late for part in outcome.balance.partitions)
    problems += [f"{late} records came late"] if late else []
    problems += [f"{outcome.dead_letters} dead letters"] if outcome.dead_letters else []
    problems += [f"{one.episode} has no incident" for one in found if one.incident is None]
    problems += [f"{one.episode} has no plan" for one in found if one.plan is None]
    assert not problems, "\n".join(problems)
    if REPORT:
        Path(REPORT).write_text(text, encoding="utf-8")


def page(written: int, took: float, found: list[Delay], received: int) -> str:
    """Return the figures as Markdown."""
    calm, upgrading = found[:CALM_EPISODES], found[CALM_EPISODES:]
    lines = [
        "# A rolling upgrade under load",
        "",
        "Written by `make rolling`: each of the five stages with "
        f"{MEMBERS} members, every process replaced,",
        f"one at a time (SIGTERM, drain, start), in {took:.0f} s, while lines came at live speed, "
        f"{RATE} a second.",
        f"{written} records were written and {received} received (an end-of-input record per "
        "partition among",
        f"them), none lost, late or dead-lettered. All on one machine with {os.cpu_count()} cores.",
        "",
        "Seconds from a service's first bad line to the append of its first incident, and plan:",
        "",
        "| when the service began to fail | failures | incident, median | worst | plan, median | "
        "worst |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, some in (("before the upgrade", calm), ("during the upgrade", upgrading)):
        cells = [name, str(len(some))]
        for what in ("incident", "plan"):
            known = [v for v in (getattr(one, what) for one in some) if v is not None]
            cells += (
                [f"{statistics.median(known):.1f}", f"{max(known):.1f}"] if known else ["-", "-"]
            )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
