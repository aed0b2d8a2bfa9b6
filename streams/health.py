"""What a worker tells its keepers: /metrics, /readyz and /healthz on one small HTTP server.

Comes in: a view on the worker. Goes out: Prometheus text, 200 or 503 with the reason. Promise:
/healthz fails when there is lag and nothing has been finished for a set time while the broker
answers; a worker without work, or without a broker, is not restarted for it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.clock import now_ms
from streams.errors import ConfigurationError
from streams.settings import WorkerSettings


@dataclass(frozen=True, slots=True)
class Pulse:
    """How a worker is at this moment."""

    ready: bool
    lag: int
    """Records that it has yet to work on; 0 when unknown because the broker does not answer."""
    last_done_ms: int
    """When it last finished something, or started."""


class HealthServer:
    """Serves one worker; `start` binds, `stop` ends."""

    def __init__(
        self, stage: str, worker: WorkerSettings, pulse: Callable[[], Awaitable[Pulse]]
    ) -> None:
        self._stage = stage
        self._worker = worker
        self._pulse = pulse
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen and return the port; raises ConfigurationError when the port is in use."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/healthz", self._healthz)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, self._worker.host, self._worker.port)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            msg = (
                f"{self._stage} cannot listen on {self._worker.host}:{self._worker.port} "
                f"({error.strerror}): set OPSPILOT_WORKER__PORT to a free port, or to 0"
            )
            raise ConfigurationError(msg) from None
        self._runner = runner
        port: int = runner.addresses[0][1]
        return port

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _readyz(self, _request: web.Request) -> web.Response:
        pulse = await self._pulse()
        if pulse.ready:
            return web.Response(text=f"{self._stage} is ready\n")
        return web.Response(status=503, text=f"{self._stage} waits for its partitions\n")

    async def _healthz(self, _request: web.Request) -> web.Response:
        pulse = await self._pulse()
        idle_ms = now_ms() - pulse.last_done_ms
        if pulse.lag > 0 and idle_ms > self._worker.stalled_after_ms:
            text = f"{self._stage} has {pulse.lag} records to do and did none for {idle_ms} ms\n"
            return web.Response(status=503, text=text)
        return web.Response(text=f"{self._stage} is well, lag {pulse.lag}\n")
