"""The process of the local model: it loads, serves, says how it is, takes up new adapters, ends.

Comes in: settings. Goes out: an OpenAI-compatible server, and /metrics, /readyz, /healthz on a port
of their own. Promise: nothing listens before the files were looked into; SIGTERM lets the answers
under way come to their end within a bound; a new adapter in the folder is loaded in such a pause.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from opspilot.local.environment import LocalEnvironment
from opspilot.local.model.engine import Bounds, Engine, Load, parse_load, thread_budget
from opspilot.local.model.files import (
    AdapterFile,
    ModelFile,
    adapters_changed,
    find_adapters,
    find_model,
    require_engine,
    with_shipped,
)
from streams.clock import monotonic_ms
from streams.errors import ConfigurationError
from streams.health import HealthServer, Pulse
from streams.runner import LEVELS
from streams.settings import Settings

POLL_SECONDS = 0.5
ADAPTERS_EVERY = 4
"""Polls from one look into the folder of adapters to the next."""
MUTE_MS = 10_000
"""An engine that says nothing for so long counts as one with work that it does not do."""
DRAIN_SECONDS = 20.0
"""Longest wait for answers under way; less than the supervisor's grace."""

log = logging.getLogger(__name__)


def run_model(settings: Settings) -> None:
    """Serve until told to stop; ConfigurationError when files or ports are not as they must be."""
    logging.basicConfig(level=LEVELS[settings.worker.log_level], stream=sys.stderr)
    require_engine()
    cache = LocalEnvironment.read(os.environ, Path.home()).cache_directory
    model = find_model(settings.model.local_file, cache)
    asyncio.run(_ModelWorker(settings, model).run())
    sys.stderr.flush()
    # Taking the server apart waits for callers that are still connected, perhaps for ever.
    os._exit(0)


def bounds_of(settings: Settings, cores: int) -> Bounds:
    """Return what the server may use on a machine with so many cores."""
    model = settings.model
    key = model.api_key.get_secret_value() if model.api_key else None
    return Bounds(
        host=model.local_host,
        port=model.local_port,
        threads=thread_budget(cores, model.local_threads),
        slots=model.local_slots,
        context_tokens=model.local_context_tokens,
        api_key=key,
        log_level=settings.worker.log_level,
    )


class _ModelWorker:
    """One engine after the other, and what is said of them."""

    def __init__(self, settings: Settings, model: ModelFile) -> None:
        self._settings = settings
        self._model = model
        self._bounds = bounds_of(settings, _cores())
        self._stopping = asyncio.Event()
        self._engine: Engine | None = None
        self._serving = False
        self._metrics = ""
        self._load = Load(0, 0)
        self._asked_ms: int | None = None
        self._last_done_ms = monotonic_ms()
        self._adapters: tuple[AdapterFile, ...] = ()
        self._refused: tuple[AdapterFile, ...] = ()
        self._said: tuple[str, ...] = ()

    async def run(self) -> None:
        health = HealthServer("model", self._settings.worker, self._pulse, _always)
        port = health.bind()
        await health.start()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        _say(f"model listens on port {port}")
        try:
            await self._start(self._look())
            await self._serve()
            await self._drain()
        finally:
            await health.stop()

    async def _serve(self) -> None:
        candidate: tuple[AdapterFile, ...] | None = None
        polls = 0
        while not self._stopping.is_set():
            await self._observe()
            polls += 1
            if polls % ADAPTERS_EVERY == 0:
                seen = self._look()
                if not adapters_changed(self._refused or self._adapters, seen):
                    candidate = None
                elif seen == candidate:
                    # Twice the same: nobody is writing it any more.
                    await self._reload(seen)
                else:
                    candidate = seen
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), POLL_SECONDS)

    async def _reload(self, adapters: tuple[AdapterFile, ...]) -> None:
        before = self._adapters
        if not await self._drain():
            self._serving = True
            return
        self._close()
        try:
            await self._start(adapters)
        except ConfigurationError as error:
            # One bad file must not take the model away from all stages.
            log.error("%s; going on with the adapters from before", error)
            self._refused = adapters
            await self._start(before)

    async def _start(self, adapters: Sequence[AdapterFile]) -> None:
        engine = await asyncio.to_thread(Engine, self._model, adapters, self._bounds)
        self._engine, self._adapters, self._serving = engine, tuple(adapters), True
        self._last_done_ms = monotonic_ms()
        named = ", ".join(one.name for one in adapters) or "none"
        _say(f"model serves {self._model.name} at {engine.url}, adapters: {named}")

    async def _drain(self) -> bool:
        """Wait, not ready any more, until no answer is under way; False when the bound is over."""
        self._serving = False
        last_ms = monotonic_ms() + int(DRAIN_SECONDS * 1000)
        quiet = 0
        while monotonic_ms() < last_ms:
            await self._observe()
            # Twice: the last answer has to reach its caller as well.
            quiet = quiet + 1 if self._load.waiting == 0 else 0
            if quiet == 2:
                return True
            await asyncio.sleep(POLL_SECONDS / 2)
        log.warning("model has %d answers under way after %g s", self._load.waiting, DRAIN_SECONDS)
        return False

    def _close(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    async def _observe(self) -> None:
        """Read the engine's counters; they come once its step under way is over."""
        if self._engine is None:
            return
        self._asked_ms = monotonic_ms()
        self._metrics = await asyncio.to_thread(self._engine.metrics)
        self._asked_ms = None
        load = parse_load(self._metrics)
        if load.steps != self._load.steps:
            self._last_done_ms = monotonic_ms()
        self._load = load

    def _look(self) -> tuple[AdapterFile, ...]:
        folder = self._settings.model.local_adapter_folder
        adapters, left_out = find_adapters(folder, self._model.header.architecture)
        for sentence in set(left_out) - set(self._said):
            log.warning("%s", sentence)
        self._said = left_out
        return with_shipped(adapters, self._settings.model.local_file)

    def _is_mute(self) -> bool:
        """Say whether the engine leaves even the question for its counters unanswered."""
        return self._asked_ms is not None and monotonic_ms() - self._asked_ms > MUTE_MS

    async def _pulse(self) -> Pulse:
        return Pulse(
            ready=self._serving,
            lag=max(self._load.waiting, int(self._is_mute())),
            last_done_ms=self._last_done_ms,
            waits_for="its model",
            further_metrics=self._metrics,
        )


def _cores() -> int:
    """Return how many cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


async def _always() -> bool:
    """Say that nothing outside this process can be why it stands still."""
    return True


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()
