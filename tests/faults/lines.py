"""A run of log lines that is the same every time: five services, hours of event time, faults in it.

Comes in: how many lines and how many raw partitions. Goes out: raw records in the order of event
time, and at the end an end-of-input record for every partition. Nothing here is random: a seed is
fixed, so two runs with the same arguments are equal byte for byte.
"""

import json
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from streams.ingest.batch import CONTROL_HEADER, END_OF_INPUT

FULL_LINES = 50_000
BASE_MS = 1_777_881_600_000
"""When the run begins: 2026-05-04T08:00:00Z, well before any broker appends it."""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record for the raw topic."""

    partition: int
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """Who writes, and in which envelope."""

    name: str
    instances: tuple[str, ...]
    envelope: str
    routine: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Lines that only come while something is wrong, at `rate` a second.

    `begin_seconds` speaks of a run of 50,000 lines; in a shorter one all come sooner.
    """

    service: str
    begin_seconds: int
    length_seconds: int
    rate: int
    texts: tuple[str, ...]


SERVICES = (
    Service(
        "web-gateway", ("gw-a", "gw-b"), "tail",
        (
            "INFO GET /catalog/{n} 200 {ms}ms",
            "INFO GET /cart/{hex} 200 {ms}ms",
            "INFO POST /checkout 201 {ms}ms request={hex}",
            "DEBUG keepalive connection {n} reused",
        ),
    ),
    Service(
        "orders", ("orders-1",), "tail",
        (
            "INFO order {n} accepted for customer {n}",
            "INFO order {n} handed to payments in {ms} ms",
            "INFO outbox flushed {n} events",
        ),
    ),
    Service(
        "payments", ("payments-1",), "levels",
        (
            "authorised payment {hex} amount {n}",
            "captured payment {hex} in {ms} ms",
            "settlement batch {n} closed",
        ),
    ),
    Service(
        "inventory", ("inventory-1",), "plain",
        (
            "INFO stock of item {n} is {n}",
            "INFO reservation {hex} confirmed",
            "INFO shelf scan {n} done in {ms} ms",
        ),
    ),
    Service(
        "notifier", ("notifier-1",), "plain",
        ("INFO mail {hex} queued", "INFO mail {hex} delivered after {ms} ms"),
    ),
)  # fmt: skip

_TRACE = (
    "ERROR charging failed, request {hex}: java.lang.NullPointerException: amount was null",
    "\tat shop.payments.Ledger.post(Ledger.java:88)",
    "\tat shop.payments.Charge.run(Charge.java:41)",
    "\tat java.base/java.lang.Thread.run(Thread.java:840)",
)
_HEAP = (
    "FATAL java.lang.OutOfMemoryError: Java heap space",
    "\tat java.base/java.util.Arrays.copyOf(Arrays.java:3512)",
    "\tat shop.orders.Report.render(Report.java:203)",
)

TROUBLES = (
    Trouble("orders", 420, 90, 3, ("ERROR connection to db-orders:5432 refused, attempt {n}",)),
    Trouble("payments", 900, 60, 2, _TRACE),
    Trouble("web-gateway", 1_350, 100, 3, ("ERROR GET /search 504 upstream timed out {hex}",)),
    Trouble("inventory", 1_900, 80, 2, ("ERROR sdb: I/O error reading sector {n}",)),
    Trouble("web-gateway", 2_400, 60, 2, ("ERROR TLS certificate of client {n} has expired",)),
    Trouble("orders", 2_950, 90, 1, _HEAP),
    Trouble("notifier", 3_500, 80, 2, ("ERROR smtp: authentication failed for user svc{n}",)),
    Trouble("payments", 4_000, 60, 3, ("ERROR deadlock detected, transaction {n} rolled back",)),
    Trouble("inventory", 4_550, 70, 3, ("WARN Failed password for invalid user op{n} from h{n}",)),
    Trouble("web-gateway", 5_100, 60, 4, ("WARN rate limit exceeded for tenant {n}, dropped",)),
    Trouble("orders", 5_600, 70, 2, ("ERROR no leader for topic orders-{n}, retrying",)),
    Trouble("notifier", 6_150, 60, 1, ("CRITICAL worker {n} killed: segmentation fault",)),
)


def raw_records(lines: int, partitions: int) -> Iterator[RawRecord]:
    """Yield `lines` records, then one end-of-input record for every partition."""
    yield from islice(_lines(partitions, lines / FULL_LINES), lines)
    for partition in range(partitions):
        yield RawRecord(partition, b"end-of-input", None, ((CONTROL_HEADER, END_OF_INPUT),))


def partition_of(key: bytes, partitions: int) -> int:
    """Return where a key goes; our own rule, since clients place keys differently."""
    return zlib.crc32(key) % partitions


def _lines(partitions: int, scale: float) -> Iterator[RawRecord]:
    chance = random.Random(20_261_122)
    second = 0
    while True:
        for service in SERVICES:
            for text in _texts_of(service, second, scale, chance):
                instance = chance.choice(service.instances) if "\n" not in text else ""
                instance = instance or service.instances[0]
                time_ms = BASE_MS + second * 1_000 + chance.randrange(1_000)
                key = f"prod/shop/{service.name}/{instance}".encode()
                for line in text.split("\n"):
                    value = _enclose(service, instance, line, time_ms)
                    yield RawRecord(partition_of(key, partitions), key, value)
        second += 1


def _texts_of(service: Service, second: int, scale: float, chance: random.Random) -> Iterator[str]:
    for _ in range(chance.choice((1, 1, 1, 2))):
        yield _fill(chance.choice(service.routine), chance)
    for trouble in TROUBLES:
        if trouble.service != service.name:
            continue
        if 0 <= second - int(trouble.begin_seconds * scale) < trouble.length_seconds:
            for _ in range(trouble.rate):
                yield _fill("\n".join(trouble.texts), chance)


def _fill(text: str, chance: random.Random) -> str:
    while "{n}" in text:
        text = text.replace("{n}", str(chance.randrange(1, 100_000)), 1)
    text = text.replace("{hex}", f"{chance.getrandbits(64):016x}")
    return text.replace("{ms}", str(chance.randrange(2, 40)))


def _enclose(service: Service, instance: str, line: str, time_ms: int) -> bytes:
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    if service.envelope == "plain":
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z {line}".encode()
    document: dict[str, object] = {
        "fb_ts": f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}000000Z",
        "fb_source": f"prod/shop/{service.name}",
        "hostname": instance,
        "log": line,
    }
    if service.envelope == "levels" and not line.startswith(("ERROR", "java", "\t")):
        document["level"] = "info"
    return json.dumps(document).encode()
