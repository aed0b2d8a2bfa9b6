"""What a worker tells its keepers: /metrics, /readyz and /healthz on one small HTTP server.

Comes in: a view on the worker. Goes out: Prometheus text, 200 or 503 with the reason. Promise:
/healthz fails when there has been lag for a set time, nothing was finished in it and the broker
answers; a worker without work, or without a broker, is not restarted for it.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams import metrics
from streams.clock import monotonic_ms
from streams.errors import ConfigurationError
from streams.requests import timed
from streams.settings import WorkerSettings

BROKER_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Pulse:
    """How a worker is at this moment."""

    ready: bool
    lag: int
    """Records that it has yet to work on, as far as it has heard."""
    last_done_ms: int
    """When it last finished something, or started, on the monotonic clock."""
    waits_for: str = "its partitions"
    """What it lacks while it is not ready."""
    further_metrics: str = ""
    """Prometheus text of another engine in this process, shown behind our own."""


class HealthServer:
    """Serves one worker: `bind` takes the port, `start` answers, `stop` ends."""

    def __init__(
        self,
        stage: str,
        worker: WorkerSettings,
        pulse: Callable[[], Awaitable[Pulse]],
        broker_answers: Callable[[], Awaitable[bool]],
    ) -> None:
        self._stage = stage
        self._worker = worker
        self._pulse = pulse
        self._broker_answers = broker_answers
        self._behind_since_ms: int | None = None
        self._socket: socket.socket | None = None
        self._runner: web.AppRunner | None = None

    def bind(self) -> int:
        """Take the port and return it; raises ConfigurationError when it cannot be had."""
        worker = self._worker
        try:
            self._socket = socket.create_server((worker.host, worker.port))
        except OSError as error:
            msg = (
                f"{self._stage} cannot listen on {worker.host}:{worker.port} "
                f"({error.strerror}): set OPSPILOT_WORKER__PORT to a free port, or to 0"
            )
            raise ConfigurationError(msg) from None
        port: int = self._socket.getsockname()[1]
        return port

    async def start(self) -> None:
        """Answer from now on; after `bind`."""
        assert self._socket is not None, "bind comes first"
        app = web.Application(middlewares=[timed])
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/healthz", self._healthz)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _metrics(self, _request: web.Request) -> web.Response:
        pulse = await self._pulse()  # it also brings the gauges of lag up to date
        metrics.READY.labels(self._stage).set(pulse.ready)
        metrics.STALLED_SECONDS.labels(self._stage).set(self._stalled_ms(pulse) / 1000)
        body = generate_latest() + pulse.further_metrics.encode()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _readyz(self, _request: web.Request) -> web.Response:
        pulse = await self._pulse()
        if pulse.ready:
            return web.Response(text=f"{self._stage} is ready\n")
        return web.Response(status=503, text=f"{self._stage} waits for {pulse.waits_for}\n")

    async def _healthz(self, _request: web.Request) -> web.Response:
        pulse = await self._pulse()
        stalled_ms = self._stalled_ms(pulse)
        if stalled_ms > self._worker.stalled_after_ms and await self._answers():
            text = f"{self._stage} has {pulse.lag} records to do and did none for {stalled_ms} ms\n"
            return web.Response(status=503, text=text)
        return web.Response(text=f"{self._stage} is well, lag {pulse.lag}\n")

    def _stalled_ms(self, pulse: Pulse) -> int:
        """Return for how long there has been lag without anything done.

        Lag counts from when it was first seen: the first record after a quiet night must not make
        a worker look as if it had slept since its last one.
        """
        now = monotonic_ms()
        if pulse.lag <= 0:
            self._behind_since_ms = None
            return 0
        if self._behind_since_ms is None:
            self._behind_since_ms = now
        return now - max(self._behind_since_ms, pulse.last_done_ms)

    async def _answers(self) -> bool:
        try:
            return await asyncio.wait_for(self._broker_answers(), BROKER_TIMEOUT_SECONDS)
        except TimeoutError:
            return False
