"""A real `opspilot worker ingest` and every shape of record that shippers write.

Each shape goes to a service of its own; the digests must say whose it was, when, how grave and how
many, and the ledger must account for every record.
"""

import json
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from stages import Follower, StageProcess, send, settings_for

from schemas.digest import SLOT_MS, LogDigest
from schemas.ledger import LedgerEntry
from schemas.topics import LEDGER, LOGS_DIGESTS, LOGS_RAW
from schemas.vocabulary import Level
from streams.admin import create_topics
from streams.settings import Settings

pytestmark = pytest.mark.kafka
AT_MS = 1_795_359_570_000
ISO = "2026-11-22T14:59:30.123456789Z"
SECONDS = AT_MS / 1000 + 0.123
NANOSECONDS = str(AT_MS * 1_000_000 + 123_456_789)
OTLP = {
    "resourceLogs": [
        {
            "resource": {
                "attributes": [
                    {"key": "service.name", "value": {"stringValue": "otel"}},
                    {"key": "service.namespace", "value": {"stringValue": "shop"}},
                    {"key": "deployment.environment", "value": {"stringValue": "prod"}},
                ]
            },
            "scopeLogs": [
                {
                    "logRecords": [
                        {
                            "timeUnixNano": NANOSECONDS,
                            "severityNumber": 17,
                            "severityText": "ERROR",
                            "body": {"stringValue": f"payment {i} failed"},
                        }
                        for i in range(3)
                    ]
                }
            ],
        }
    ]
}
KUBERNETES = {
    "pod_name": "web-5d4-x2",
    "namespace_name": "shop",
    "container_name": "web",
    "labels": {"app": "web"},
    "host": "node-1",
}
RECORDS: dict[str, list[dict[str, object]]] = {
    "default/default/tail": [
        {"fb_ts": ISO, "fb_path": "/var/log/t.log", "log": "ERROR disk 1 full", "fb_source": "tail"}
    ],
    "default/default/cri": [
        {"@timestamp": ISO, "stream": "stdout", "log": "ERROR part one ", "_p": "P",
         "fb_source": "cri"},
        {"@timestamp": ISO, "stream": "stdout", "log": "part two", "_p": "F", "fb_source": "cri"},
    ],
    "default/shop/web": [
        {"time": ISO, "stream": "stderr", "log": "ERROR upstream gone\n", "kubernetes": KUBERNETES}
    ],
    "default/default/sshd": [
        {"_SYSTEMD_UNIT": "sshd.service", "MESSAGE": "Failed password for root", "PRIORITY": "3",
         "_SOURCE_REALTIME_TIMESTAMP": str(AT_MS * 1000 + 123_456), "_HOSTNAME": "node-2"}
    ],
    "default/default/gelf": [
        {"version": "1.1", "short_message": "connection lost", "host": "h1", "level": 3,
         "timestamp": SECONDS, "_service": "gelf"}
    ],
    "default/default/docker": [
        {"time": ISO, "stream": "stdout", "log": "ERROR hello from docker\n", "fb_source": "docker"}
    ],
    "default/default/double": [
        {"@timestamp": SECONDS, "log": "ERROR two stamps", "fb_source": "double"}
    ],
    "prod/shop/otel": [OTLP],
}  # fmt: skip
EVENTS = {"prod/shop/otel": 3}
CODECS = ("gzip", "snappy", "lz4", "zstd")


def slot_of(time_ms: int) -> int:
    return time_ms - time_ms % SLOT_MS


def digests_of(values: list[bytes]) -> list[LogDigest]:
    return [LogDigest.from_bytes(value) for value in values if b'"type":"digest"' in value]


async def read_until(settings: Settings, records: int) -> list[LogDigest]:
    async with Follower(settings, LOGS_DIGESTS) as digests:
        values = await digests.until(
            lambda found: sum(digest.records for digest in digests_of(found)) >= records,
            f"digests of {records} records",
        )
    return digests_of(values)


async def ledger_of(settings: Settings, received: int) -> list[LedgerEntry]:
    def latest(values: list[bytes]) -> list[LedgerEntry]:
        return list({e.key: e for e in map(LedgerEntry.from_bytes, values)}.values())

    async with Follower(settings, LEDGER) as ledger:
        values = await ledger.until(
            lambda found: sum(e.ingest.received for e in latest(found) if e.ingest) >= received,
            "the ledger's word",
        )
    return latest(values)


async def test_every_shape_of_record_is_digested_once(broker, topic_prefix: str, tmp_path: Path):
    settings = settings_for(broker.bootstrap, topic_prefix)
    await create_topics(settings)
    raw = settings.topics.name(LOGS_RAW)
    with StageProcess("ingest", settings, tmp_path) as worker:
        for service, records in RECORDS.items():
            key = service.encode()
            values = [(key, json.dumps(record).encode()) for record in records]
            await send(broker.bootstrap, raw, values)
        plain = b"2026-11-22T14:59:30.500Z ERROR plain text"
        await send(broker.bootstrap, raw, [(b"default/default/plain/i1", plain)])
        compressed = 0
        for codec in CODECS:
            lines = [
                (b"c", json.dumps({"log": f"INFO {codec} {i}", "service": codec,
                                   "fb_ts": ISO}).encode())
                for i in range(50)
            ]  # fmt: skip
            compressed += len(lines)
            await send(broker.bootstrap, raw, lines, compression=codec, partition=1)
        await send(broker.bootstrap, raw, [(b"b", bytes(range(32)) * 8)])
        good = sum(map(len, RECORDS.values())) + 1 + compressed
        found = await read_until(settings, good)
        entries = await ledger_of(settings, good + 1)
        worker.child.terminate()
        assert worker.wait_for_end() == 0

    services = set(RECORDS) | {f"default/default/{c}" for c in CODECS}
    assert {d.service for d in found} - services == {"default/default/plain"}
    for service in RECORDS:
        mine = [d for d in found if d.service == service]
        assert sum(d.records for d in mine) == len(RECORDS[service])
        assert sum(d.events for d in mine) == EVENTS.get(service, 1), service
        assert {d.slot_ms for d in mine} == {slot_of(AT_MS)}, service
        assert {s.level for d in mine for s in d.shapes} == {Level.ERROR}, service
    texts = [e.text for d in found for s in d.shapes for e in s.examples]
    assert "ERROR part one part two" in texts
    for codec in CODECS:
        mine = [d for d in found if d.service == f"default/default/{codec}"]
        assert sum(s.count for d in mine for s in d.shapes) == 50
    totals = [entry.ingest for entry in entries if entry.ingest]
    assert sum(t.received for t in totals) == good + 1
    assert sum(t.dead_lettered for t in totals) == 1
    assert sum(t.digested + t.dead_lettered + t.control for t in totals) == good + 1


@pytest.mark.parametrize("how", ["list", "pattern"])
async def test_several_raw_topics_are_read(broker, topic_prefix: str, tmp_path: Path, how: str):
    settings = settings_for(broker.bootstrap, topic_prefix)
    await create_topics(settings)
    names = [f"{topic_prefix}app-{i}" for i in range(2)]
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, 1) for name in names])
    finally:
        await admin.close()
    pattern = topic_prefix.replace(".", r"\.") + r"app-\d+"
    variables = {
        "list": {"OPSPILOT_INGEST__TOPICS": json.dumps(names)},
        "pattern": {"OPSPILOT_INGEST__TOPIC_PATTERN": pattern},
    }
    with StageProcess("ingest", settings, tmp_path, variables[how]):
        for i, name in enumerate(names):
            line = json.dumps({"log": "ERROR gone", "service": f"s{i}", "fb_ts": ISO}).encode()
            await send(broker.bootstrap, name, [(None, line)] * 10)
        found = await read_until(settings, 20)
    assert {(d.source.topic, d.service) for d in found} == {
        (name, f"default/default/s{i}") for i, name in enumerate(names)
    }
    assert {d.raw_partitions for d in found} == {2}
