"""The demo as a person runs it: eight faults in, eight incidents out, nothing lost or leaked."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from running_broker import RunningBroker

from opspilot.reading import TopicReader
from opspilot.sample.clock import MINUTE_MS
from opspilot.sample.scenario import FAULTS, service_lines
from schemas.base import Record
from schemas.classification import Classification
from schemas.incident import Incident
from schemas.remediation import CommandVerdict, RemediationPlan
from schemas.topics import DEAD_LETTERS, LOGS_RAW, TOPICS
from streams.settings import KafkaSettings, TopicSettings

pytestmark = pytest.mark.kafka

DEMO_SECONDS = 900
MOST_EXTRA_INCIDENTS = 4
ONSET_MS = 5 * MINUTE_MS
SECRETS = (
    re.compile(rb"[\w.]+@example\.(org|com|net)"),
    re.compile(rb"eyJ[A-Za-z0-9_-]{6,}\."),
    re.compile(rb"4111 ?1111 ?1111 ?1111"),
    re.compile(rb"letmein\d"),
)


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OPSPILOT_")}
    return {**kept, **more}


def run_demo(*arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "opspilot", "demo", "--timeout", "300", *arguments],
        capture_output=True,
        text=True,
        timeout=DEMO_SECONDS,
        check=False,
        env=environment(**more),
    )


class Demo:
    """What one run printed, and the prefix of its topics."""

    def __init__(self, done: "subprocess.CompletedProcess[str]") -> None:
        assert done.returncode == 0, done.stderr[-3000:]
        self.records: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for line in done.stdout.splitlines():
            record = json.loads(line)
            self.records[record["type"]].append(record)

    def of(self, kind: type[Record]) -> list[Any]:
        """Return the records of one type, validated."""
        return [kind.model_validate(record) for record in self.records[kind.TYPE]]


@pytest.fixture(scope="module")
def prefixes() -> list[str]:
    return []


@pytest.fixture(scope="module")
def demo(broker: RunningBroker, prefixes: list[str]) -> Demo:
    done = run_demo("--json", "--kafka", broker.bootstrap)
    found = Demo(done)
    prefixes.append(found.records["ledger"][0]["topic"].removesuffix(LOGS_RAW.short))
    return found


def matching(demo: Demo, fault: Any) -> list[Incident]:
    service = f"default/default/{fault.service}"
    return [
        incident
        for incident in demo.of(Incident)
        if service in incident.services
        and fault.begin_ms - MINUTE_MS <= incident.opened_ms <= fault.begin_ms + ONSET_MS
    ]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_is_found_and_put_in_its_category(demo: Demo, fault: Any) -> None:
    verdicts = {verdict.incident_id: verdict for verdict in demo.of(Classification)}
    categories = [verdicts[i.id].category for i in matching(demo, fault) if i.id in verdicts]
    assert fault.category in categories, [i.title for i in demo.of(Incident)]


def test_there_are_few_incidents_besides(demo: Demo) -> None:
    expected = {incident.id for fault in FAULTS for incident in matching(demo, fault)}
    extra = [i.title for i in demo.of(Incident) if i.id not in expected and not i.merged_into]
    assert len(extra) <= MOST_EXTRA_INCIDENTS, extra


def test_every_incident_has_a_verdict_and_a_plan_of_its_latest_revision(demo: Demo) -> None:
    verdicts = {verdict.incident_id: verdict for verdict in demo.of(Classification)}
    plans = {plan.incident_id: plan for plan in demo.of(RemediationPlan)}
    for incident in demo.of(Incident):
        if incident.merged_into is None:
            assert verdicts[incident.id].revision == incident.revision
            assert plans[incident.id].revision == incident.revision


def test_every_step_of_a_plan_can_be_checked_and_undone(demo: Demo) -> None:
    for plan in demo.of(RemediationPlan):
        assert plan.steps
        for step in plan.steps:
            assert step.verification
            assert step.rollback
            if step.command is not None and step.command.verdict is CommandVerdict.BLOCKED:
                assert step.command.reason


def test_the_ledger_accounts_for_every_line(demo: Demo) -> None:
    total = demo.records["ledger"][-1]
    lines = sum(len(service_lines(fault)) for fault in {fault.service for fault in FAULTS})
    assert total["partition"] is None
    assert total["balanced"] is True
    assert total["received"] - total["control"] == lines
    assert total["counted"] + total["deadLettered"] == lines
    # Five services share six raw partitions: sent file by file, thousands would come too late.
    assert total["late"] == 0
    assert total["unread"] == 0


def test_nothing_personal_is_on_any_topic_but_the_raw_one(
    demo: Demo, broker: RunningBroker, prefixes: list[str]
) -> None:
    topics = TopicSettings(prefix=prefixes[0])
    names = [topics.name(t) for t in TOPICS.values() if t not in (LOGS_RAW, DEAD_LETTERS)]
    raw, others = asyncio.run(_values(broker.bootstrap, topics.name(LOGS_RAW), names))
    assert all(any(secret.search(value) for value in raw) for secret in SECRETS)
    leaks = [
        (topic, secret.pattern)
        for topic, value in others
        for secret in SECRETS
        if secret.search(value)
    ]
    assert leaks == []


async def _values(
    bootstrap: str, raw_topic: str, names: list[str]
) -> tuple[list[bytes], list[tuple[str, bytes]]]:
    async with TopicReader(KafkaSettings(bootstrap=bootstrap), [raw_topic, *names]) as reader:
        records = await reader.read_to_end()
    raw = [r.value for r in records if r.topic == raw_topic and r.value]
    others = [
        (r.topic, (r.key or b"") + b" " + (r.value or b"")) for r in records if r.topic != raw_topic
    ]
    assert len(others) > 1_000
    return raw, others


def test_a_demo_of_its_own_kafka_prints_for_people(kafka_runtime: object, tmp_path: Path) -> None:
    """A file whose lines have no time, one whose lines are from 2099: flagged, not refused."""
    path = tmp_path / "billing.log"
    lines = [f"ERROR invoice {n} could not be written: disk full\n" for n in range(40)]
    path.write_text("".join(lines))
    future = tmp_path / "clock.log"
    future.write_text("".join(f"2099-01-01 00:00:{n:02d} INFO tick {n}\n" for n in range(30)))
    done = run_demo("--logs", str(path), str(future))
    assert done.returncode == 0, done.stderr[-3000:]
    assert "40 lines had no time of their own" in done.stdout
    assert "30 lines were stamped in the future" in done.stdout
    assert "balanced: received" in done.stdout
    assert "billing" in done.stdout
    assert "Traceback" not in done.stderr
    # Progress is for the eyes, results are for the pipe.
    assert "lines sent to Kafka" in done.stderr
    assert "lines sent to Kafka" not in done.stdout
