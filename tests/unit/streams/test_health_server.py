"""The pages of a worker, with a pulse of the test's own."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from streams import health
from streams.errors import ConfigurationError
from streams.health import HealthServer, Pulse
from streams.settings import WorkerSettings

SETTINGS = WorkerSettings(stalled_after_ms=1_000)


class Worker:
    """What a test says of a worker, and the clock it goes by."""

    def __init__(self) -> None:
        self.ready, self.lag, self.done_ms = True, 0, 0
        self.now_ms = 1_000_000
        self.broker = True

    async def pulse(self) -> Pulse:
        return Pulse(self.ready, self.lag, self.done_ms)

    async def broker_answers(self) -> bool:
        return self.broker

    @asynccontextmanager
    async def pages(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator["Pages"]:
        monkeypatch.setattr(health, "monotonic_ms", lambda: self.now_ms)
        server = HealthServer("analyze", SETTINGS, self.pulse, self.broker_answers)
        port = server.bind()
        await server.start()
        try:
            yield Pages(port)
        finally:
            await server.stop()


class Pages:
    def __init__(self, port: int) -> None:
        self._port = port

    async def get(self, path: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self._port}{path}") as response,
        ):
            return response.status, await response.text()


async def test_readiness_is_that_of_the_worker(monkeypatch: pytest.MonkeyPatch):
    worker = Worker()
    async with worker.pages(monkeypatch) as pages:
        assert await pages.get("/readyz") == (200, "analyze is ready\n")
        worker.ready = False
        assert await pages.get("/readyz") == (503, "analyze waits for its partitions\n")
        assert (await pages.get("/healthz"))[0] == 200


async def test_lag_without_work_for_too_long_is_unwell(monkeypatch: pytest.MonkeyPatch):
    worker = Worker()
    worker.lag, worker.done_ms = 7, worker.now_ms
    async with worker.pages(monkeypatch) as pages:
        assert (await pages.get("/healthz"))[0] == 200
        worker.now_ms += 1_001
        said = "analyze has 7 records to do and did none for 1001 ms\n"
        assert await pages.get("/healthz") == (503, said)
        worker.done_ms = worker.now_ms
        assert await pages.get("/healthz") == (200, "analyze is well, lag 7\n")


async def test_a_worker_whose_broker_is_away_is_not_restarted(monkeypatch: pytest.MonkeyPatch):
    worker = Worker()
    worker.lag = 7
    async with worker.pages(monkeypatch) as pages:
        await pages.get("/healthz")
        worker.now_ms += 5_000
        worker.broker = False
        assert (await pages.get("/healthz"))[0] == 200
        worker.broker = True
        assert (await pages.get("/healthz"))[0] == 503


async def test_the_first_record_after_a_quiet_night_is_no_stall(monkeypatch: pytest.MonkeyPatch):
    worker = Worker()
    async with worker.pages(monkeypatch) as pages:
        assert (await pages.get("/healthz"))[0] == 200
        worker.now_ms += 36_000_000
        worker.lag = 1
        assert (await pages.get("/healthz"))[0] == 200
        worker.lag = 0
        await pages.get("/healthz")
        worker.now_ms += 5_000
        worker.lag = 1
        assert (await pages.get("/healthz"))[0] == 200, "lag counts from when it was seen"


async def test_metrics_hold_the_six_names_of_the_requirements(monkeypatch: pytest.MonkeyPatch):
    async with Worker().pages(monkeypatch) as pages:
        status, text = await pages.get("/metrics")
    assert status == 200
    for name in (
        "http_request_duration_seconds",
        "llm_inference_latency_seconds",
        "llm_tokens_generated_total",
        "incident_classification_accuracy",
        "model_drift_score",
        "active_incidents_total",
    ):
        assert f"# HELP {name.removesuffix('_total')}" in text


def test_a_port_in_use_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        worker = Worker()
        settings = WorkerSettings(port=port)
        server = HealthServer("analyze", settings, worker.pulse, worker.broker_answers)
        with pytest.raises(ConfigurationError) as caught:
            server.bind()
    said = str(caught.value)
    assert said.startswith(f"analyze cannot listen on 127.0.0.1:{port}")
    assert "OPSPILOT_WORKER__PORT" in said
