"""Runs one worker process to its end: its loop, its health server, its signals.

Comes in: a Stage, or ingest's settings. Goes out: an exit status. Promise: SIGTERM and SIGINT
finish the work in hand; the health server speaks before the first partition is assigned.
"""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import faust

from streams import metrics
from streams.app import Stage
from streams.health import HealthServer, Pulse
from streams.ingest.consumer import IngestWorker
from streams.settings import Settings

LEVELS = {
    "crit": logging.CRITICAL,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
}


def run_stage(stage: Stage) -> None:
    """Run a Faust stage until it is told to stop; exits the process."""
    settings = stage.settings.worker
    health = HealthServer(stage.name, settings, _faust_pulse(stage), stage.outbox.broker_answers)
    _announce(stage.name, health.bind())
    settings.data_folder.mkdir(parents=True, exist_ok=True)
    worker = _Worker(
        stage.app, health, loglevel=settings.log_level, redirect_stdouts=False, quiet=False
    )
    try:
        worker.execute_from_commandline()
    finally:
        stage.tracing.stop()


class _Worker(faust.Worker):
    """A Faust worker whose health server speaks before the first partition is assigned."""

    def __init__(self, app: faust.App, health: HealthServer, **options: Any) -> None:
        super().__init__(app, **options)
        self._health = health
        # It draws into the log, and to be fed sets the root logger to debug, for every message.
        self.spinner = None

    async def on_first_start(self) -> None:
        """Begin to answer; Faust's own tasks would wait for the recovery of tables."""
        await super().on_first_start()
        await self._health.start()

    async def on_shutdown(self) -> None:
        """Stop answering, so that no connection holds up the end of the loop."""
        await super().on_shutdown()
        await self._health.stop()


def run_ingest(settings: Settings) -> None:
    """Run ingest until it is told to stop; raises BrokerError when Kafka is lost."""
    logging.basicConfig(level=LEVELS[settings.worker.log_level], stream=sys.stderr)
    asyncio.run(_ingest(settings))


async def _ingest(settings: Settings) -> None:
    worker = IngestWorker(settings)

    async def pulse() -> Pulse:
        return Pulse(worker.ready, _told_lag("ingest", worker.lags()), worker.last_done_ms)

    health = HealthServer("ingest", settings.worker, pulse, worker.broker_answers)
    port = health.bind()
    await health.start()
    _collect_rarely()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop_soon)
    _announce("ingest", port)
    try:
        await worker.run()
    finally:
        await health.stop()
        worker.tracing.stop()


def _collect_rarely() -> None:
    """Look for garbage in cycles once in 100,000 new objects, and not among those of the start.

    A batch makes and frees tens of thousands of objects, none in a cycle: looking for some after
    every 700, as Python does, takes a tenth of ingest's time and finds nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 10, 10)


def _announce(stage: str, port: int) -> None:
    sys.stdout.write(f"{stage} listens on port {port}\n")
    sys.stdout.flush()


def _faust_pulse(stage: Stage) -> Callable[[], Awaitable[Pulse]]:
    async def pulse() -> Pulse:
        return Pulse(stage.ready, _told_lag(stage.name, stage.lags()), stage.last_done_ms)

    return pulse


def _told_lag(stage: str, lags: Mapping[tuple[str, int], int]) -> int:
    """Set the gauge of lag, and return the sum."""
    for (topic, partition), lag in lags.items():
        metrics.CONSUMER_LAG.labels(stage, topic, str(partition)).set(lag)
    return sum(lags.values())
