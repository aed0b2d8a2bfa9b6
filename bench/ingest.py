"""Ingest beside its rivals: the same lines, the same broker, CPU seconds as well as wall time.

Comes in: how many lines, and files of lines if not our own. Goes out: a table of ratios, and the
section `ingest` of docs/benchmarks.md. Ingest runs as in production, `opspilot worker ingest` with
promises, redaction, slots, digests and ledger; what a start costs is measured and taken off, as for
the rivals, which are measured from their first record.
    python -m bench.ingest --lines FILE...
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from confluent_kafka import Producer  # type: ignore[import-untyped,unused-ignore]

from bench.lines import LINES_PER_SECOND, describe, records
from bench.report import write_section
from opspilot.local.environment import LocalEnvironment
from opspilot.local.ports import free_port
from opspilot.local.resolve import resolve_broker
from schemas.topics import LOGS_RAW
from streams.admin import create_topics
from streams.kafka import make_admin, make_consumer, started
from streams.settings import KafkaSettings, Settings, TopicSettings

TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_SECONDS = 600.0
CHUNK_LINES = 50_000
RIVALS = {
    "faust": "Faust agent with drain3 (its default, no masks)",
    "quix": "Quix Streams with drain3 (its default, no masks)",
    "faust-masks": "Faust agent with drain3 (the masks of its example)",
    "quix-masks": "Quix Streams with drain3 (the masks of its example)",
}


@dataclass(frozen=True)
class Run:
    """What one contender needed."""

    name: str
    records: int
    cpu_seconds: float
    wall_seconds: float

    @property
    def cpu_us(self) -> float:
        """CPU microseconds per line."""
        return self.cpu_seconds / self.records * 1e6

    @property
    def wall_us(self) -> float:
        """Microseconds of the clock per line."""
        return self.wall_seconds / self.records * 1e6


@dataclass(frozen=True)
class Usage:
    """What a process has used so far."""

    cpu_seconds: float
    resident_mib: float
    wall_seconds: float = 0.0
    """From the start of the process; measured where it is the start that is measured."""


def usage(pid: int) -> Usage:
    """Read a process's CPU time and memory from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    resident = pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
    return Usage((int(fields[11]) + int(fields[12])) / TICKS, resident)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


class Bench:
    """One broker with one raw topic full of lines."""

    def __init__(self, bootstrap: str, compression: str, seed: int) -> None:
        self.bootstrap = bootstrap
        self._compression = compression
        self._seed = seed
        self._sent = 0
        self.topic = self._settings("bench.").topics.name(LOGS_RAW)
        asyncio.run(create_topics(self._settings("bench.")))

    def _settings(self, prefix: str) -> Settings:
        return Settings(
            kafka=KafkaSettings(bootstrap=self.bootstrap), topics=TopicSettings(prefix=prefix)
        )

    def fill(self, files: Sequence[Path], count: int) -> None:
        """Write `count` more lines to the raw topic."""
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "compression.codec": self._compression,
                "linger.ms": 50,
                "queue.buffering.max.messages": 200_000,
            }
        )
        end_ms = time.time_ns() // 1_000_000
        made = records(files, count, end_ms, self._seed + self._sent)
        # Made first and sent at once: a shipper under load fills its batches too.
        while chunk := list(islice(made, CHUNK_LINES)):
            for key, value in chunk:
                while True:
                    try:
                        producer.produce(self.topic, value=value, key=key)
                        break
                    except BufferError:
                        producer.poll(0.1)
            producer.flush()
        self._sent += count

    def rival(self, name: str, title: str, count: int) -> Run:
        """Run a rival over the first `count` lines that it gets."""
        command = [sys.executable, "-m", "bench.rivals", name, self.bootstrap, self.topic]
        done = subprocess.run(
            [*command, str(count)], capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )
        reports = [line for line in done.stdout.splitlines() if line.startswith('{"records"')]
        if not reports:
            raise SystemExit(f"{title} reported nothing: {done.stderr[-2000:]}")
        found = json.loads(reports[-1])
        return Run(title, found["records"], found["cpu"], found["wall"])

    @contextmanager
    def ingest(
        self, prefix: str, topic: str, processes: int = 1, port: int = 0
    ) -> Iterator[list[int]]:
        """Run ingest in processes of one group; yields their process ids."""
        asyncio.run(create_topics(self._settings(prefix)))
        environment = {
            **os.environ,
            "OPSPILOT_KAFKA__BOOTSTRAP": self.bootstrap,
            "OPSPILOT_TOPICS__PREFIX": prefix,
            "OPSPILOT_INGEST__TOPICS": json.dumps([topic]),
            "OPSPILOT_WORKER__PORT": str(port),
        }
        command = [sys.executable, "-m", "opspilot", "worker", "ingest"]
        with tempfile.TemporaryFile() as errors:
            running = [
                subprocess.Popen(command, env=environment, stdout=errors, stderr=errors)
                for _ in range(processes)
            ]
            try:
                yield [process.pid for process in running]
                if any(process.poll() is not None for process in running):
                    errors.seek(0)
                    raise SystemExit(f"ingest ended: {errors.read().decode()[-2000:]}")
            finally:
                for process in running:
                    process.terminate()
                for process in running:
                    process.wait(60)

    def start_usage(self) -> Usage:
        """Return what one ingest process uses before it has read a line."""
        prefix = "idle."
        port = free_port()
        began = time.perf_counter()
        topic = self._settings(prefix).topics.name(LOGS_RAW)
        with self.ingest(prefix, topic, port=port) as (pid,):
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not _is_ready(port):
                if time.monotonic() > deadline:
                    raise SystemExit(f"ingest was not ready within {PATIENCE_SECONDS:.0f} s")
                time.sleep(0.1)
            return replace(usage(pid), wall_seconds=time.perf_counter() - began)

    def wait_until_digested(self, prefix: str) -> None:
        """Return when the group of `prefix` has committed the end of every partition."""
        asyncio.run(self._wait_until_digested(prefix))

    async def _wait_until_digested(self, prefix: str) -> None:
        kafka = self._settings(prefix).kafka
        deadline = time.monotonic() + PATIENCE_SECONDS
        async with started(make_consumer(kafka), kafka) as consumer:
            numbers = consumer.partitions_for_topic(self.topic) or await self._partitions(kafka)
            wanted = await consumer.end_offsets([TopicPartition(self.topic, n) for n in numbers])
        async with started(make_admin(kafka), kafka) as admin:
            while time.monotonic() < deadline:
                try:
                    found = await admin.list_consumer_group_offsets(f"{prefix}ingest")
                except KafkaError:  # the group has no coordinator before its first member
                    found = {}
                if all(tp in found and found[tp].offset >= end for tp, end in wanted.items()):
                    return
                await asyncio.sleep(0.1)
        raise SystemExit(f"ingest did not reach the end within {PATIENCE_SECONDS:.0f} s")

    async def _partitions(self, kafka: KafkaSettings) -> list[int]:
        async with started(make_admin(kafka), kafka) as admin:
            (topic,) = await admin.describe_topics([self.topic])
        return [partition["partition"] for partition in topic["partitions"]]


def measure_ingest(bench: Bench, start: Usage, count: int, processes: int) -> tuple[Run, float]:
    """Digest the whole raw topic; return what it took and the most memory of a process, in MiB."""
    prefix = f"run-{processes}-{count}."
    began = time.perf_counter()
    with bench.ingest(prefix, bench.topic, processes) as pids:
        bench.wait_until_digested(prefix)
        wall = time.perf_counter() - began - start.wall_seconds
        used = [usage(pid) for pid in pids]
    cpu = sum(one.cpu_seconds for one in used) - processes * start.cpu_seconds
    title = "OpsPilot ingest" + (f", {processes} processes" if processes > 1 else "")
    return Run(title, count, cpu, wall), max(one.resident_mib for one in used)


def table(runs: list[Run], ours: Run) -> list[str]:
    """Write the runs as a Markdown table."""
    text = [
        "| | lines | CPU us per line | lines per CPU s | wall us per line"
        " | CPU, times OpsPilot's | wall, times OpsPilot's |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for run in runs:
        text.append(
            f"| {run.name} | {run.records:,} | {run.cpu_us:.2f} | {1e6 / run.cpu_us:,.0f}"
            f" | {run.wall_us:.2f} | {run.cpu_us / ours.cpu_us:.1f}"
            f" | {run.wall_us / ours.wall_us:.1f} |"
        )
    return text


def compare(bench: Bench, files: Sequence[Path], count: int, sample: int) -> list[str]:
    """Run everything and return the section of the report."""
    print(f"writing {count:,} lines", flush=True)
    bench.fill(files, count)
    start = bench.start_usage()
    print(f"a start costs {start.cpu_seconds:.2f} CPU s, {start.resident_mib:.0f} MiB", flush=True)
    ours, _ = measure_ingest(bench, start, count, 1)
    runs = [ours]
    print(table(runs, ours)[-1], flush=True)
    limit = bench.rival("aiokafka", "bare aiokafka, fetch and count", count)
    runs += [limit, *(bench.rival(name, title, sample) for name, title in RIVALS.items())]
    two, _ = measure_ingest(bench, start, count, 2)
    runs.append(two)
    bench.fill(files, count)
    _, resident = measure_ingest(bench, start, 2 * count, 1)
    grown = resident - start.resident_mib
    return [
        *table(runs, ours),
        "",
        f"- Share of the limit (bare aiokafka's CPU over ours): {limit.cpu_us / ours.cpu_us:.0%}.",
        f"- CPU per line of two processes over that of one: {two.cpu_us / ours.cpu_us:.2f}.",
        f"- Memory after {2 * count:,} lines: {grown:.0f} MiB above the start"
        f" ({start.resident_mib:.0f} MiB).",
        f"- A start, taken off: {start.cpu_seconds:.2f} CPU s a process.",
    ]


def section(options: argparse.Namespace) -> list[str]:
    """Measure and return the section of the report."""
    environment = LocalEnvironment.read(os.environ, Path.home())
    with (
        tempfile.TemporaryDirectory() as folder,
        resolve_broker(options.kafka, Path(folder) / "kafka", environment) as bootstrap,
    ):
        bench = Bench(bootstrap, options.compression, options.seed)
        found = compare(bench, options.lines, options.count, options.sample)
    return [
        f"{options.count:,} lines made of {describe(options.lines)}, digits and hexadecimal drawn"
        f" anew, systems shuffled, as Fluent Bit tail records compressed with"
        f" {options.compression}; {LINES_PER_SECOND:,} lines per second of event time. The rivals"
        f" with drain3 ran on {options.sample:,} of them. `python -m bench.ingest`.",
        "",
        *found,
    ]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what can be chosen."""
    parser.add_argument("--lines", type=Path, nargs="*", default=[], help="files of log lines")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--sample", type=int, default=30_000, help="lines for the slow rivals")
    parser.add_argument("--compression", default="lz4")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kafka", help="HOST:PORT of a Kafka that runs already")
    parser.add_argument("--no-write", action="store_true", help="leave docs/benchmarks.md alone")


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description="Ingest beside its rivals.")
    add_options(parser)
    options = parser.parse_args()
    found = section(options)
    print("\n".join(found))
    if not options.no_write:
        write_section("ingest", found)


if __name__ == "__main__":
    main()
