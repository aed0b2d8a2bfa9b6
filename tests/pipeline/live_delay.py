"""How long a bad line takes to become an incident and a plan, at live speed, measured.

`python -m tests.pipeline.live_delay` starts Kafka and every stage, writes a healthy log, then bad
lines, as they happen; prints the delays and writes them to docs/latency.md. Delays run from the
moment before the first bad line is written to the moment its incident or plan has been read.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from stages import Follower, StageProcess, send, settings_for

from opspilot.local.broker import BrokerOptions, EmbeddedBroker
from opspilot.local.environment import LocalEnvironment
from opspilot.local.runtime import find_runtime
from schemas.incident import Incident
from schemas.remediation import RemediationPlan
from schemas.topics import INCIDENTS, LOGS_RAW, REMEDIATIONS, Topic
from streams.admin import create_topics
from streams.settings import Settings

STAGES = ("ingest", "analyze", "correlate", "classify", "recommend")
PAGE = Path(__file__).parents[2] / "docs" / "latency.md"
BOUNDS_SECONDS = {"incident": 20, "plan": 30}
LINE_PAUSE_SECONDS = 0.2


@dataclass(frozen=True)
class Delay:
    """Seconds from just before the first bad line."""

    incident: float
    plan: float


async def measure(settings: Settings, folder: Path, rounds: int) -> list[Delay]:
    """Run the whole pipeline; one new service fails in each round."""
    await create_topics(settings)
    with ExitStack() as stack:
        workers = [
            stack.enter_context(StageProcess(stage, settings, folder / stage)) for stage in STAGES
        ]
        for worker in workers:
            await asyncio.to_thread(worker.wait_ready)
        return [await one_round(settings, f"svc-{number}") for number in range(rounds)]


async def one_round(settings: Settings, service: str) -> Delay:
    """Write healthy lines for some seconds, then bad ones until the plan is there."""
    stop = asyncio.Event()
    for _ in range(15):
        await write(settings, service, "INFO request served in 12 ms")
        await asyncio.sleep(LINE_PAUSE_SECONDS)
    began = time.monotonic()
    writer = asyncio.create_task(fail(settings, service, stop))
    try:
        async with asyncio.TaskGroup() as group:
            incident = group.create_task(seen(settings, INCIDENTS, service))
            plan = group.create_task(seen(settings, REMEDIATIONS, service))
    finally:
        stop.set()
        await writer
    return Delay(incident.result() - began, plan.result() - began)


async def fail(settings: Settings, service: str, stop: asyncio.Event) -> None:
    count = 0
    while not stop.is_set():
        count += 1
        # A database of its own: services that fail at the same one would be one incident.
        database = f"db-of-{service}.internal:5432"
        line = f"ERROR could not reach database {database}: connection refused ({count})"
        await write(settings, service, line)
        await asyncio.sleep(LINE_PAUSE_SECONDS)


async def write(settings: Settings, service: str, text: str) -> None:
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
    record = {"log": f"{stamp} {text}", "fb_source": service}
    value = json.dumps(record).encode()
    raw = settings.topics.name(LOGS_RAW)
    await send(settings.kafka.bootstrap, raw, [(service.encode(), value)])


async def seen(settings: Settings, topic: Topic, service: str) -> float:
    """Return when the first record of `service` was read from `topic`."""
    kind = {INCIDENTS.short: Incident, REMEDIATIONS.short: RemediationPlan}[topic.short]

    def is_there(values: list[bytes]) -> bool:
        return any(kind.from_bytes(v).service.endswith(f"/{service}") for v in values)

    async with AsyncExitStack() as stack:
        follower = await stack.enter_async_context(Follower(settings, topic))
        await follower.until(is_there, f"record of {service}")
    return time.monotonic()


def page(delays: list[Delay]) -> str:
    """Return the figures as Markdown."""
    lines = [
        "# Delay at live speed",
        "",
        "Written by `python -m tests.pipeline.live_delay`: all stages and Kafka on one machine,",
        f"{os.cpu_count()} cores, {len(delays)} rounds; in each, a service that was healthy for",
        "three seconds begins to fail. Seconds from just before its first bad line is written.",
        "",
        "| until | median | worst | bound |",
        "| --- | --- | --- | --- |",
    ]
    for name, bound in BOUNDS_SECONDS.items():
        values = [getattr(delay, name) for delay in delays]
        middle, worst = statistics.median(values), max(values)
        lines.append(f"| its {name} is read | {middle:.1f} | {worst:.1f} | {bound} |")
    lines += [
        "",
        "What it waits for: up to 10 s until the slot of event time is over, 5 s of allowed",
        "lateness (`OPSPILOT_ANALYZE__ALLOWED_LATENESS_MS`), up to 2 s until ingest says how far",
        "it is (`OPSPILOT_INGEST__PROGRESS_INTERVAL_MS`); the rest is work.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="Measure the delay at live speed.")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    runtime = find_runtime(LocalEnvironment.read(os.environ, Path.home()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with EmbeddedBroker(
            folder / "kafka", runtime, BrokerOptions(start_seconds=120.0)
        ) as broker:
            settings = settings_for(broker.bootstrap, "live.")
            delays = asyncio.run(measure(settings, folder, rounds))
    for number, delay in enumerate(delays, start=1):
        print(f"round {number}: incident {delay.incident:.1f} s, plan {delay.plan:.1f} s")
    PAGE.write_text(page(delays), encoding="utf-8")
    print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
