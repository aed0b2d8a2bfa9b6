"""The tools beside which ingest is measured, each as a process of its own.

Comes in: `python -m bench.rivals NAME BOOTSTRAP TOPIC COUNT`. Goes out: one line of JSON,
`{"records", "cpu", "wall"}`: seconds from the first record to the last, without start-up. Each does
the least that its kind allows: decode the envelope, give the line to drain3, count; no windows, no
redaction, no output, no promise.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from typing import Any

import msgspec

from training.evaluation.grouping import drain3_miner

POLL_MS = 1_000


class Meter:
    """Measures from the first record to the last."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.records = 0
        self._cpu = self._wall = 0.0

    def begin(self) -> None:
        """Start to measure; else the first record does."""
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def add(self, records: int = 1) -> bool:
        """Count records; return whether all have come."""
        if not self._wall:
            self.begin()
        self.records += records
        return self.records >= self.wanted

    def report(self) -> None:
        """Print what was measured."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        report = json.dumps({"records": self.records, "cpu": cpu, "wall": wall})
        # Past `sys.stdout`, which a Faust worker replaces by its log.
        os.write(1, f"\n{report}\n".encode())


class Drain:
    """drain3 by its default configuration or with its example masks; one miner for all lines."""

    def __init__(self, *, masks: bool) -> None:
        self._miner = drain3_miner(masks=masks)
        self._decode = msgspec.json.Decoder().decode
        self._counts: Counter[tuple[str, int]] = Counter()

    def take(self, value: bytes) -> None:
        """Decode one envelope and mine its line."""
        document = self._decode(value)
        found: Any = self._miner.add_log_message(document["log"])
        self._counts[document["fb_source"], found["cluster_id"]] += 1


async def fetch_and_count(bootstrap: str, topic: str, count: int) -> None:
    """Bare aiokafka: `getmany` and `len`, the limit for anything built on it."""
    from aiokafka import AIOKafkaConsumer

    meter = Meter(count)
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=f"rival-aiokafka-{time.time_ns()}",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8 << 20,
    )
    await consumer.start()
    meter.begin()
    try:
        while True:
            found = await consumer.getmany(timeout_ms=POLL_MS)
            number = sum(map(len, found.values()))
            if number and meter.add(number):
                break
        meter.report()
    finally:
        await consumer.stop()


def faust_with_drain3(bootstrap: str, topic: str, count: int, *, masks: bool) -> None:
    """A Faust agent that mines each event."""
    import faust

    app = faust.App(
        f"rival-faust-{time.time_ns()}",
        datadir=tempfile.mkdtemp(),
        broker=f"kafka://{bootstrap}",
        store="memory://",
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
        value_serializer="raw",
        key_serializer="raw",
    )
    lines = app.topic(topic, value_type=bytes, key_type=bytes, value_serializer="raw")
    meter, drain = Meter(count), Drain(masks=masks)

    @app.agent(lines)  # type: ignore[untyped-decorator,unused-ignore]
    async def mine(stream: Any) -> None:
        async for value in stream:
            drain.take(value)
            if meter.add():
                meter.report()
                # An orderly stop waits for this very agent.
                os._exit(0)

    worker = faust.Worker(app, loglevel="error", quiet=True)
    worker.execute_from_commandline()


def quix_with_drain3(bootstrap: str, topic: str, count: int, *, masks: bool) -> None:
    """Quix Streams with one `apply` that mines each message."""
    from quixstreams import Application

    app = Application(
        broker_address=bootstrap,
        consumer_group=f"rival-quix-{time.time_ns()}",
        auto_offset_reset="earliest",
        auto_create_topics=False,
        use_changelog_topics=False,
        loglevel="ERROR",
    )
    meter, drain = Meter(count), Drain(masks=masks)

    def mine(value: bytes) -> None:
        drain.take(value)
        if meter.add():
            meter.report()
            app.stop()

    frame = app.dataframe(app.topic(topic, value_deserializer="bytes"))
    frame.update(mine)
    app.run()


def main() -> None:
    """Run the rival that the command line names."""
    name, bootstrap, topic, count = sys.argv[1:5]
    if name == "aiokafka":
        asyncio.run(fetch_and_count(bootstrap, topic, int(count)))
    elif name in ("faust", "faust-masks"):
        faust_with_drain3(bootstrap, topic, int(count), masks=name.endswith("masks"))
    elif name in ("quix", "quix-masks"):
        quix_with_drain3(bootstrap, topic, int(count), masks=name.endswith("masks"))
    else:
        raise SystemExit(f"No rival {name}: aiokafka, faust, quix, faust-masks, quix-masks.")


if __name__ == "__main__":
    main()
