"""A thousand messages that cannot be used: all set aside untouched, all good lines processed."""

from collections import Counter
from itertools import chain, islice

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord

from opspilot.reading import TopicReader
from schemas.topics import (
    CLASSIFICATIONS,
    DEAD_LETTERS,
    FINDINGS,
    INCIDENTS,
    LOGS_DIGESTS,
    LOGS_RAW,
)
from streams.kafka import started

from .disturb import Harm, Moment, hurt
from .lines import RawRecord, raw_records
from .outcome import read_outcome
from .pipeline import PARTITIONS, STAGES, Pipeline
from .poison import KINDS, Poison, poison
from .test_kill_and_freeze import SHORT_LINES

EACH = 50
pytestmark = [pytest.mark.kafka, pytest.mark.faults]


def mixed(lines: int, bad: list[Poison]) -> list[RawRecord]:
    """Spread raw poison evenly among good lines, before the end of the input."""
    good = list(raw_records(lines, PARTITIONS))
    body, end = good[:lines], good[lines:]
    step = lines // len(bad)
    pieces = []
    for i, one in enumerate(bad):
        pieces += body[i * step : (i + 1) * step]
        pieces.append(RawRecord(i % PARTITIONS, one.key, one.value))
    return [*pieces, *body[len(bad) * step :], *end]


async def write_poison(pipeline: Pipeline, messages: list[Poison]) -> None:
    """Write to the topics between the stages, and to each a tombstone, which is no poison."""
    producer = AIOKafkaProducer(
        bootstrap_servers=pipeline.bootstrap, max_request_size=4 << 20, acks="all"
    )
    name = pipeline.settings.topics.name
    async with started(producer, pipeline.settings.kafka):
        for one in messages:
            await producer.send(name(one.topic), key=one.key, value=one.value)
        for topic in (LOGS_DIGESTS, FINDINGS, INCIDENTS, CLASSIFICATIONS):
            await producer.send(name(topic), key=b"poison-tombstone", value=None)
        await producer.flush()


async def read_dead(pipeline: Pipeline) -> list[ConsumerRecord]:
    topic = pipeline.settings.topics.name(DEAD_LETTERS)
    async with TopicReader(pipeline.settings.kafka, [topic]) as reader:
        return await reader.read_to_end()


def said(record: ConsumerRecord, name: str) -> str:
    return dict(record.headers)[name].decode()


async def test_a_thousand_poison_messages(broker, topic_prefix, tmp_path, reference_of):
    reference = await reference_of(SHORT_LINES)
    messages = list(poison(EACH))
    assert len(messages) == 1_000
    assert len({m.kind for m in messages}) == len(KINDS) == 20
    raw = [m for m in messages if m.topic is LOGS_RAW]
    between = [m for m in messages if m.topic is not LOGS_RAW]
    half = len(between) // 2
    async with Pipeline(broker.bootstrap, topic_prefix, tmp_path) as pipeline:
        # Some is there before anybody reads, some comes while all work.
        await write_poison(pipeline, between[:half])
        written = await pipeline.write(mixed(SHORT_LINES, raw))
        await pipeline.start()
        await write_poison(pipeline, between[half:])
        restarts_before = pipeline.restarts()
        assert all(count == 0 for count, _ in restarts_before.values()), pipeline.logs()
        # Poison in a topic that is also a stage's state must not hinder its recovery.
        for stage in ("classify", "recommend"):
            await hurt(pipeline, Moment(f"{stage}-1", Harm.KILL, 0.0))
        await pipeline.wait_until_done()
        outcome = await read_outcome(pipeline.settings, written)
        dead = await read_dead(pipeline)
        restarts = pipeline.restarts()
    assert written == SHORT_LINES + len(raw) + PARTITIONS
    assert not outcome.problems()
    assert {name: count for name, (count, _) in restarts.items()} == {
        f"{stage}-1": int(stage in ("classify", "recommend")) for stage in STAGES
    }
    check_dead(pipeline, messages, dead)
    differences = outcome.differences(reference.outcome)
    assert not differences, "\n".join(differences)


def check_dead(pipeline: Pipeline, messages: list[Poison], dead: list[ConsumerRecord]) -> None:
    """Each message once, by its place, with key and value untouched and all the rest in headers."""
    once = {}
    for record in dead:
        place = tuple(
            said(record, f"opspilot-source-{n}") for n in ("topic", "partition", "offset")
        )
        # Killing a stage may set a message aside twice; it is the same one, by its place.
        once[place] = record
    name = pipeline.settings.topics.name
    expected = Counter((name(m.topic), m.stage, m.reason, m.key, m.value) for m in messages)
    found = Counter(
        (said(r, "opspilot-source-topic"), said(r, "opspilot-stage"), said(r, "opspilot-reason"),
         r.key, r.value)
        for r in once.values()
    )  # fmt: skip
    lacking, strange = expected - found, found - expected
    assert not lacking and not strange, (
        f"{lacking.total()} are not as they should be, such as {_show(lacking)}; "
        f"{strange.total()} were not asked for, such as {_show(strange)}"
    )
    for record in once.values():
        assert said(record, "opspilot-message")
        assert said(record, "opspilot-time").endswith("Z")


def _show(counted: Counter) -> list[str]:
    return [repr(one)[:200] for one in islice(chain(counted), 3)]
