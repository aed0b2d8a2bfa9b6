"""The lines that the benchmarks run on: varied, shuffled, as a shipper would send them.

Comes in: log files (LogHub's, say), or nothing: then eight systems of this project's own making.
Goes out: Kafka records as Fluent Bit's tail writes them. Digits and hexadecimal of every copy are
drawn anew and systems are shuffled, since repeated lines flatter whoever has a cache.
"""
# ruff: noqa: E501 (log lines are as long as they are)

import random
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

INSTANCES = 6
_IDENTIFIER = re.compile(rb"\b(?=[0-9a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{6,}\b")
_DIGITS = np.frombuffer(b"0123456789" * 26, np.uint8)
_HEXADECIMAL = np.frombuffer(b"0123456789abcdef" * 16, np.uint8)
LINES_PER_SECOND = 10_000
"""Event time in the records: what eight busy services write together."""

OWN_SYSTEMS: dict[str, tuple[str, ...]] = {
    "gateway": (
        '10.4.17.203 - - [22/Nov/2026:15:09:32 +0000] "GET /api/v1/carts/83412 HTTP/1.1" 200 5123 "-" "curl/8.5"',
        '10.4.17.81 - - [22/Nov/2026:15:09:33 +0000] "POST /api/v1/orders HTTP/1.1" 201 312 "-" "okhttp/4.12"',
        '10.4.19.12 - - [22/Nov/2026:15:09:34 +0000] "GET /static/app-4f81c2d9.js HTTP/1.1" 304 0 "-" "Mozilla/5.0"',
        "2026/11/22 15:09:35 [error] 3121#3121: *88213 upstream timed out (110: Connection timed out) while reading response header, upstream: 10.4.2.18:8080",
    ),
    "orders": (
        "2026-11-22 15:09:32,481 INFO [http-nio-8080-exec-7] c.s.orders.OrderService: order 991823 accepted for customer 55123 in 48 ms",
        "2026-11-22 15:09:32,519 DEBUG [http-nio-8080-exec-2] c.s.orders.PriceClient: price of sku 7712 is 1299 after 3 ms",
        "2026-11-22 15:09:33,004 WARN [pool-3-thread-1] c.s.orders.StockClient: retry 2 of 3 for reservation 8a61f2c0b7d4e931",
        "2026-11-22 15:09:33,871 ERROR [http-nio-8080-exec-9] c.s.orders.OrderService: order 991871 failed: stock service answered 503",
    ),
    "database": (
        "2026-11-22 15:09:32.101 UTC [2817] LOG:  checkpoint complete: wrote 812 buffers (5.0%); write=3.212 s, sync=0.004 s, total=3.391 s",
        "2026-11-22 15:09:32.644 UTC [3022] LOG:  duration: 1284.113 ms  statement: SELECT id FROM carts WHERE owner = 5512",
        "2026-11-22 15:09:34.017 UTC [3107] ERROR:  deadlock detected at character 42",
        "2026-11-22 15:09:35.200 UTC [3125] LOG:  connection received: host=10.4.2.18 port=51822",
    ),
    "kernel": (
        "Nov 22 15:09:32 node7 kernel: [81223.118273] eth0: link up, 10000 Mbps, full duplex",
        "Nov 22 15:09:33 node7 kernel: [81224.448120] nvme0n1: I/O timeout, command 3412, reset controller",
        "Nov 22 15:09:34 node7 kernel: [81225.773300] oom-kill: task worker pid 21873 total-vm:8123412kB, anon-rss:4123100kB",
        "Nov 22 15:09:35 node7 kernel: [81226.120981] audit: type=1400 audit(1763824175.120:881): denied open for pid=3312",
    ),
    "login": (
        "Nov 22 15:09:32 edge2 sshd[28811]: Accepted publickey for deploy from 10.9.1.44 port 50122 ssh2",
        "Nov 22 15:09:32 edge2 sshd[28813]: Failed password for invalid user oracle from 185.12.44.9 port 40122 ssh2",
        "Nov 22 15:09:33 edge2 sshd[28813]: Connection closed by 185.12.44.9 port 40122 [preauth]",
        "Nov 22 15:09:34 edge2 systemd-logind[812]: New session 4812 of user deploy.",
    ),
    "queue": (
        "[2026-11-22 15:09:32,773] INFO [GroupCoordinator 1]: Member consumer-4-9f1c2b7a in group billing has left, removing it from the group (coordinator)",
        "[2026-11-22 15:09:33,120] INFO Rolled new log segment at offset 88123412 in 4 ms. (log)",
        "[2026-11-22 15:09:33,820] WARN [ReplicaFetcher replicaId=1, leaderId=3, fetcherId=0] Error in response for fetch request 41233 (fetcher)",
        "[2026-11-22 15:09:34,003] INFO [Partition payments-12 broker=1] ISR updated to 1,3 and version updated to 881 (cluster)",
    ),
    "scheduler": (
        'I1122 15:09:32.118273       1 schedule_one.go:252] "Successfully bound pod to node" pod="shop/api-7d9f8c4b5-x2x9k" node="node12" evaluatedNodes=41',
        'W1122 15:09:33.448120       1 reflector.go:533] watch of *v1.Pod ended with: very short watch: 3 items received',
        'E1122 15:09:34.773300       1 event.go:355] "Server rejected event" err="etcdserver: request timed out" took="7.002s"',
        'I1122 15:09:35.003300       1 trace.go:236] Trace[1822331]: "List" url:/api/v1/pods (total time: 812ms)',
    ),
    "worker": (
        '{"level":"info","ts":1763824172.481,"caller":"job/run.go:88","msg":"job done","job":"8a61f2c0-b7d4-4931-9f1c-2b7a55123991","took":"312ms"}',
        '{"level":"warn","ts":1763824173.004,"caller":"job/run.go:112","msg":"slow job","job":"11f2c0b7-d4e9-4319-8f1c-2b7a55123000","took":"9312ms"}',
        '{"level":"error","ts":1763824174.871,"caller":"job/run.go:97","msg":"job failed","job":"77c0b7d4-e931-49f1-bc2b-7a5512399112","error":"connection refused"}',
    ),
}  # fmt: skip


def base_lines(files: Sequence[Path]) -> list[tuple[str, bytes]]:
    """Return (system, line) pairs: of the files, named by their folders, else of our own."""
    if not files:
        return [(system, line.encode()) for system, lines in OWN_SYSTEMS.items() for line in lines]
    found = []
    for path in files:
        system = path.stem.removesuffix("_2k").lower()
        found += [(system, line) for line in path.read_bytes().splitlines() if line.strip()]
    return found


def describe(files: Sequence[Path]) -> str:
    """Say in a few words which lines these are."""
    if not files:
        return "the lines of `bench/lines.py`"
    return ", ".join(f"`{path.name}`" for path in files)


class Redrawn:
    """One line, of which copies are made with digits and hexadecimal identifiers drawn anew."""

    def __init__(self, line: bytes) -> None:
        self._line = np.frombuffer(line, np.uint8)
        letters = np.zeros(len(line), np.bool_)
        for found in _IDENTIFIER.finditer(line):
            letters[found.start() : found.end()] = True
        digits = (self._line >= ord("0")) & (self._line <= ord("9")) & ~letters
        self._digits, self._letters = np.flatnonzero(digits), np.flatnonzero(letters)

    def draw(self, source: np.random.Generator) -> bytes:
        """Return a copy."""
        copy = self._line.copy()
        drawn = np.frombuffer(source.bytes(len(self._digits)), np.uint8)
        copy[self._digits] = _DIGITS[drawn]
        if len(self._letters):
            drawn = np.frombuffer(source.bytes(len(self._letters)), np.uint8)
            copy[self._letters] = _HEXADECIMAL[drawn]
        return copy.tobytes()


def redrawn_lines(files: Sequence[Path], count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield `count` (system, line) pairs, all base lines shuffled and drawn anew."""
    source = np.random.default_rng(seed)
    base = [(system, Redrawn(line)) for system, line in base_lines(files)]
    for number in source.integers(0, len(base), count).tolist():
        system, line = base[number]
        yield system, line.draw(source)


def records(
    files: Sequence[Path], count: int, end_ms: int, seed: int
) -> Iterator[tuple[bytes, bytes]]:
    """Yield `count` (key, value) records whose event time ends at `end_ms`."""
    source = random.Random(seed)
    encode = msgspec.json.Encoder().encode
    for number, (system, line) in enumerate(redrawn_lines(files, count, seed)):
        time_ms = end_ms - (count - number) * 1000 // LINES_PER_SECOND
        stamp = datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
        document = {
            "fb_ts": f"{stamp}{source.randrange(1000):03d}Z",
            "fb_path": f"/var/log/{system}.log",
            "log": line.decode("utf-8", "replace"),
            "fb_source": f"bench/shop/{system}",
        }
        yield (
            f"bench/shop/{system}/{system}-{source.randrange(INSTANCES)}".encode(),
            encode(document),
        )
