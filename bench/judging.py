"""How close classify comes to what a model server can do at best: a real worker, a real Kafka.

Comes in: how many incidents, how long an answer takes, how many the server takes at once. Goes out:
the section `judging` of docs/benchmarks.md. The ideal is incidents / at once * seconds an answer;
the clock runs from the first incident's append to the last verdict's, by the broker's own stamps.
    python -m bench.judging
"""

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path

from bench.report import write_section
from opspilot.local.environment import LocalEnvironment
from opspilot.local.ports import free_port
from opspilot.local.process import ChildProcess
from opspilot.local.resolve import resolve_broker
from opspilot.local.worker import stage_worker
from opspilot.reading import TopicReader
from schemas.classification import Classification
from schemas.finding import ShapeEvidence
from schemas.incident import Incident, LogAnalysis
from schemas.topics import CLASSIFICATIONS, INCIDENTS
from schemas.vocabulary import IncidentStatus, Level, Severity
from streams.admin import create_topics
from streams.kafka import make_producer, started
from streams.settings import KafkaSettings, Settings, TopicSettings

ROOT = Path(__file__).parent.parent
WAIT_SECONDS = 60.0
GIVE_UP_AFTER_IDEALS = 4
HARMED = 16
HANG_BUDGET_SECONDS = 5.0
START_MS = 1_795_380_000_000
_LINES = (
    "ERROR: deadlock detected; process <num> waits for ShareLock on transaction <num>",
    "upstream timed out (110: Connection timed out) while reading response header",
    "java.lang.OutOfMemoryError: Java heap space",
    "Failed password for invalid user admin from <ip> port <num> ssh2",
    "EXT4-fs error (device sda1): ext4_find_entry: reading directory lblock <num>",
    "panic: runtime error: invalid memory address or nil pointer dereference",
)


def incident(number: int) -> Incident:
    """Return one incident, distinct in id and service."""
    line = _LINES[number % len(_LINES)]
    service = f"prod/shop/svc{number}"
    shape = ShapeEvidence(
        shape_id=f"{number:08x}", shape=line, level=Level.ERROR, count=5, examples=(line,)
    )
    analysis = LogAnalysis(summary=line, severity=Severity.MEDIUM, evidence=(shape,))
    return Incident(
        id=f"incident-{number:06d}",
        revision=1,
        status=IncidentStatus.OPEN,
        service=service,
        services=(service,),
        fingerprint=f"{number:016x}",
        title=line,
        opened_ms=START_MS,
        updated_ms=START_MS,
        count=5,
        analysis=analysis,
    )


@contextmanager
def child(command: Sequence[str], log: Path, variables: dict[str, str]) -> Iterator[ChildProcess]:
    """Run a process until the block ends."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPSPILOT_")}
    process = ChildProcess(command, log, {**kept, **variables})
    try:
        yield process
    finally:
        process.stop(10.0)


async def said(process: ChildProcess, pattern: str) -> str:
    """Wait until the process has written something; returns the first group."""
    overdue = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < overdue and process.exit_code() is None:
        found = re.search(pattern, process.log_path.read_text(errors="replace"))
        if found:
            return found[1]
        await asyncio.sleep(0.1)
    raise SystemExit(f"no {pattern}:\n{process.log_path.read_text(errors='replace')[-2000:]}")


async def is_ready(port: str) -> None:
    """Wait until a worker says on /readyz that it is ready."""
    overdue = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < overdue:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
            writer.write(b"GET /readyz HTTP/1.0\r\n\r\n")
            status = await reader.readline()
            writer.close()
            if b" 200 " in status:
                return
        except OSError:
            pass
        await asyncio.sleep(0.2)
    raise SystemExit("classify did not become ready")


async def verdicts(settings: Settings, count: int, seconds: float) -> list[tuple[str, int, str]]:
    """Read until `count` verdicts are there; returns incident, append time and who answered."""
    found: list[tuple[str, int, str]] = []
    topic = settings.topics.name(CLASSIFICATIONS)
    overdue = time.monotonic() + seconds
    async with TopicReader(settings.kafka, [topic]) as reader:
        while len(found) < count and time.monotonic() < overdue:
            for record in await reader.read_to_end():
                one = Classification.from_bytes(record.value)
                who = one.judge.fallback_reason or one.judge.backend
                found.append((one.incident_id, record.timestamp, who))
            await asyncio.sleep(0.5)
    return found


@asynccontextmanager
async def judged(
    bootstrap: str, folder: Path, prefix: str, partitions: int, model: Mapping[str, str]
) -> AsyncIterator[Settings]:
    """Run a classify worker that asks the model server of `model`."""
    settings = Settings(
        kafka=KafkaSettings(bootstrap=bootstrap),
        topics=TopicSettings(prefix=prefix, incident_partitions=partitions),
    )
    await create_topics(settings)
    variables = {
        "OPSPILOT_KAFKA__BOOTSTRAP": bootstrap,
        # A machine with other work on it must not look like one that was frozen.
        "OPSPILOT_KAFKA__SESSION_TIMEOUT_MS": "90000",
        "OPSPILOT_TOPICS__PREFIX": prefix,
        "OPSPILOT_TOPICS__INCIDENT_PARTITIONS": str(partitions),
        "OPSPILOT_MODEL__BACKEND": "tgi" if model else "baseline",
        "OPSPILOT_WORKER__DATA_FOLDER": str(folder / prefix),
        **{f"OPSPILOT_MODEL__{name.upper()}": value for name, value in model.items()},
    }
    log = folder / f"{prefix}log"
    with child(stage_worker("classify").command, log, variables) as worker:
        await is_ready(await said(worker, r"listens on port (\d+)"))
        yield settings


def model_server(folder: Path, *switches: str) -> AbstractContextManager[ChildProcess]:
    """Run the fake text-generation-inference."""
    command = [sys.executable, "-m", "fakes.tgi_server", "--port", "0", *switches]
    log = folder / f"server{'-'.join(switches)}.log"
    return child(command, log, {"PYTHONPATH": str(ROOT / "tests")})


async def send(settings: Settings, count: int) -> tuple[dict[str, int], int]:
    """Write incidents; returns their append times and how many the fullest partition has."""
    topic = settings.topics.name(INCIDENTS)
    async with started(make_producer(settings.kafka, linger_ms=0), settings.kafka) as producer:
        sent = {
            one.id: await producer.send(topic, key=one.id.encode(), value=one.to_bytes())
            for one in map(incident, range(count))
        }
        written = {name: await future for name, future in sent.items()}
    fullest = Counter(record.partition for record in written.values()).most_common(1)[0][1]
    return {name: record.timestamp for name, record in written.items()}, fullest


async def busy(bootstrap: str, folder: Path, options: argparse.Namespace) -> list[str]:
    """Measure against a server that is well and slow."""
    ideal = options.incidents / options.at_once * options.delay
    switches = "--delay", str(options.delay), "--concurrent", str(options.at_once)
    with model_server(folder, *switches) as server:
        model = {"url": await said(server, r"(http://\S+)")}
        async with judged(bootstrap, folder, "busy.", options.partitions, model) as settings:
            appended, fullest = await send(settings, options.incidents)
            found = await verdicts(settings, options.incidents, ideal * GIVE_UP_AFTER_IDEALS)
    took = (max(at for _, at, _ in found) - min(appended.values())) / 1000
    return [
        "| incidents judged | answered by | fullest partition | ideal | took | ratio |",
        "| --- | --- | --- | --- | --- | --- |",
        f"| {len(found)} of {options.incidents} | {_by(found)} | {fullest} | {ideal:.1f} s "
        f"| {took:.1f} s | {took / ideal:.2f} |",
    ]


async def harmed(
    bootstrap: str, folder: Path, name: str, model: Mapping[str, str], options: argparse.Namespace
) -> str:
    """Measure against a server that is not well; returns a row of the table."""
    prefix = f"{name}."
    async with judged(bootstrap, folder, prefix, options.partitions, model) as settings:
        appended, _ = await send(settings, HARMED)
        found = await verdicts(settings, HARMED, WAIT_SECONDS)
    slowest = max(at - appended[incident_id] for incident_id, at, _ in found) / 1000
    return f"| {name} | {len(found)} of {HARMED} | {_by(found)} | {slowest:.1f} s |"


async def measure(bootstrap: str, folder: Path, options: argparse.Namespace) -> list[str]:
    """Run all; returns the lines of the section."""
    well = await busy(bootstrap, folder, options)
    dead = {"url": f"http://127.0.0.1:{free_port()}"}
    rows = [
        await harmed(bootstrap, folder, "none", {}, options),
        await harmed(bootstrap, folder, "dead", dead, options),
    ]
    with model_server(folder, "--hang") as server:
        url = await said(server, r"(http://\S+)")
        hanging = {"url": url, "call_timeout_seconds": f"{HANG_BUDGET_SECONDS:g}"}
        rows.append(await harmed(bootstrap, folder, "hanging", hanging, options))
    return [
        f"`python -m bench.judging --incidents {options.incidents} --delay {options.delay:g} "
        f"--at-once {options.at_once} --partitions {options.partitions}`: a fake "
        "text-generation-inference, one classify worker, an embedded Kafka. Load of the machine's "
        f"{os.cpu_count()} CPUs at the end: {os.getloadavg()[0]:.1f}.",
        "",
        *well,
        "",
        f"The first {HARMED} incidents after a start, at once, where the server is not well, "
        "beside a worker without a model; "
        f"hanging with a time budget of {HANG_BUDGET_SECONDS:g} s:",
        "",
        "| server | judged | answered by | longest from incident to verdict |",
        "| --- | --- | --- | --- |",
        *rows,
    ]


def _by(found: Sequence[tuple[str, int, str]]) -> str:
    counted = Counter(who for _, _, who in found)
    return ", ".join(f"{count} {who}" for who, count in counted.items())


def section(options: argparse.Namespace) -> list[str]:
    """Measure and return the section of the report."""
    environment = LocalEnvironment.read(os.environ, Path.home())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with resolve_broker(None, folder / "kafka", environment) as bootstrap:
            return asyncio.run(measure(bootstrap, folder, options))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what can be chosen."""
    parser.add_argument("--incidents", type=int, default=200)
    parser.add_argument("--delay", type=float, default=5.0, help="seconds an answer takes")
    parser.add_argument("--at-once", type=int, default=16, help="what the server takes at once")
    parser.add_argument("--partitions", type=int, default=64)


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description="classify against a slow model server.")
    add_options(parser)
    parser.add_argument("--no-write", action="store_true", help="only print")
    options = parser.parse_args()
    found = section(options)
    print("\n".join(found), flush=True)
    if not options.no_write:
        write_section("judging", found)


if __name__ == "__main__":
    main()
