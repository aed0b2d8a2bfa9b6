"""Traces through the real stages: one from raw batch to plan, none where nobody asked for any."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from fakes.otlp_receiver import OtlpReceiver, Seen
from fakes.tgi_server import TgiServer
from running_broker import RunningBroker
from stages import WAIT_SECONDS, Follower, StageProcess, send, settings_for

from schemas.topics import LOGS_DIGESTS, LOGS_RAW, REMEDIATIONS
from streams.admin import create_topics
from streams.ingest.batch import CONTROL_HEADER, END_OF_INPUT
from streams.settings import Settings
from streams.tracing.traceparent import TraceParent, read_traceparent

pytestmark = pytest.mark.kafka
STAGES = ("ingest", "analyze", "correlate", "classify", "recommend")
LINE = "ERROR could not reach database zanzibar-db:5432: connection refused"
TEXTS = ("zanzibar", "refused", "order saved")
GUARD = """
import importlib.abc, os, pathlib, sys

class Guard(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            pathlib.Path(os.environ["IMPORTED"]).write_text(name)
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Guard())
"""


async def write_log(settings: Settings, headers: list[tuple[str, bytes]]) -> None:
    """Write a service that begins to fail, then say that nothing more comes."""
    stamps = [f"2026-03-10T06:0{second // 60}:{second % 60:02d}Z" for second in range(90)]
    lines = [f"{stamp} INFO order saved" for stamp in stamps[:60]]
    lines += [f"{stamp} {LINE} ({n})" for stamp in stamps[60:] for n in range(3)]
    values = [json.dumps({"log": line, "fb_source": "shop"}).encode() for line in lines]
    raw, bootstrap = settings.topics.name(LOGS_RAW), settings.kafka.bootstrap
    await send(bootstrap, raw, [(b"shop", v) for v in values], partition=0, headers=headers)
    for partition in range(settings.topics.raw_partitions):
        end = [(CONTROL_HEADER, END_OF_INPUT)]
        await send(bootstrap, raw, [(b"", None)], partition=partition, headers=end)


async def plan_trace(
    settings: Settings,
    folder: Path,
    variables: Mapping[str, str],
    headers: list[tuple[str, bytes]],
) -> TraceParent | None:
    """Run every stage until there is a plan, and end them; returns the plan's trace context."""
    await create_topics(settings)
    with ExitStack() as stack:
        workers = [
            stack.enter_context(StageProcess(stage, settings, folder / stage, variables))
            for stage in STAGES
        ]
        for worker in workers:
            await asyncio.to_thread(worker.wait_ready)
        await write_log(settings, headers)
        async with Follower(settings, REMEDIATIONS) as plans:
            await plans.until(bool, "plan")
        return read_traceparent(plans.headers[0].get("traceparent"))


def until(holds: Callable[[], bool], what: str) -> None:
    overdue = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < overdue, f"no {what}"
        time.sleep(0.05)


async def test_one_trace_leads_from_the_raw_batch_to_the_plan(
    broker: RunningBroker, topic_prefix: str, tmp_path: Path
):
    settings = settings_for(broker.bootstrap, topic_prefix)
    shipped = TraceParent(0xABC, 0xDEF)
    with OtlpReceiver() as receiver:
        async with TgiServer() as model:
            variables = {
                "OPSPILOT_TRACING__ENDPOINT": receiver.url,
                "OPSPILOT_MODEL__BACKEND": "tgi",
                "OPSPILOT_MODEL__URL": model.url,
            }
            headers = [("traceparent", str(shipped).encode())]
            plan = await plan_trace(settings, tmp_path, variables, headers)
        assert plan is not None
        trace = {s.span_id: s for s in receiver.spans if s.trace_id == f"{plan.trace_id:032x}"}

    path: list[Seen] = [trace[f"{plan.span_id:016x}"]]
    while path[-1].parent_id:
        path.append(trace[path[-1].parent_id])
    assert [span.service for span in path] == [f"opspilot-{stage}" for stage in STAGES[::-1]]
    assert [span.name for span in path] == [
        "recommend classifications",
        "classify incidents",
        "correlate findings",
        "analyze logs.digests",
        "ingest batch",
    ]
    batch = path[-1]
    assert batch.attributes["messaging.destination.name"] == settings.topics.name(LOGS_RAW)
    assert batch.attributes["opspilot.to_offset"] > batch.attributes["messaging.kafka.offset"]
    assert batch.linked == (f"{shipped.trace_id:032x}",)

    calls = [span for span in trace.values() if span.name == "model call"]
    assert {path[0].span_id, path[1].span_id} == {call.parent_id for call in calls}
    for call in calls:
        assert call.attributes["opspilot.backend"] == "tgi"
        assert call.attributes["opspilot.outcome"]
    assert any(call.attributes.get("gen_ai.usage.output_tokens", 0) > 0 for call in calls)
    for body in receiver.bodies:
        assert not [text for text in TEXTS if text.encode() in body]


async def test_without_an_endpoint_nothing_is_imported_and_a_shippers_trace_goes_through(
    broker: RunningBroker, topic_prefix: str, tmp_path: Path
):
    settings = settings_for(broker.bootstrap, topic_prefix)
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD)
    imported = tmp_path / "imported"
    guarded = {"PYTHONPATH": str(tmp_path / "guard"), "IMPORTED": str(imported)}
    shipped = TraceParent(0xABC, 0xDEF)
    headers = [("traceparent", str(shipped).encode())]
    assert await plan_trace(settings, tmp_path, guarded, headers) == shipped
    assert not imported.exists(), imported.read_text()

    # The guard is no ornament: with an endpoint it is run into, and what is missing is said.
    asked = {**guarded, "OPSPILOT_TRACING__ENDPOINT": "http://127.0.0.1:4318"}
    with StageProcess("ingest", settings, tmp_path / "asked", asked) as worker:
        assert worker.wait_for_end() == 1
    assert worker.log.startswith("opspilot: OPSPILOT_TRACING__ENDPOINT is set, but opentelemetry")
    assert len(worker.log.strip().splitlines()) == 1
    assert imported.exists()


async def test_a_receiver_that_never_answers_stops_nothing(
    broker: RunningBroker, topic_prefix: str, tmp_path: Path
):
    settings = settings_for(broker.bootstrap, topic_prefix)
    await create_topics(settings)
    with OtlpReceiver(deaf=True) as receiver:
        variables = {
            "OPSPILOT_TRACING__ENDPOINT": receiver.url,
            "OPSPILOT_TRACING__TIMEOUT_SECONDS": "1",
        }
        with StageProcess("ingest", settings, tmp_path, variables) as ingest:
            await asyncio.to_thread(ingest.wait_ready)
            await write_log(settings, [])
            async with Follower(settings, LOGS_DIGESTS) as digests:
                await digests.until(
                    lambda found: sum(b'"digest"' in value for value in found) >= 9, "digests"
                )
            assert receiver.asked.wait(WAIT_SECONDS)
            dropped = 'opspilot_spans_total{outcome="dropped"}'
            await asyncio.to_thread(until, lambda: dropped in ingest.get("/metrics")[1], dropped)
            await write_log(settings, [])
            async with Follower(settings, LOGS_DIGESTS) as digests:
                await digests.until(
                    lambda found: sum(b'"digest"' in value for value in found) >= 18, "digests"
                )
        assert ingest.child.exit_code() == 0, ingest.log
    assert ingest.log.count("does not take spans") == 1
