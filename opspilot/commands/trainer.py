"""`opspilot trainer`: trains when drift asks for it, until it is told to stop.

Comes in: training.requests. Goes out: training.results, adapters in the registry, releases.
Promise: a kill at any moment costs at most the steps since the last checkpoint; SIGTERM writes one.
"""

import asyncio
import logging
import signal
import sys

import typer

from opspilot.learning import Learning
from schemas.topics import DEAD_LETTERS, MODELS, TRAINING_REQUESTS, TRAINING_RESULTS
from streams.admin import check_topics
from streams.health import HealthServer, Pulse
from streams.runner import LEVELS
from streams.settings import Settings, load_settings
from training.jobs import recipe_of
from training.trainer import STAGE, Trainer

app = typer.Typer()


@app.command()
def trainer() -> None:
    """Train an adapter for each request of the topic, try it, release it if it is better.

    Example: opspilot trainer --kafka localhost:9092
    """
    settings = load_settings()
    recipe_of(settings)
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    needed = (TRAINING_REQUESTS, TRAINING_RESULTS, MODELS, DEAD_LETTERS)
    await check_topics(settings, needed)
    # Later than that: what the client library says of a broker that is not there, we say ourselves.
    logging.basicConfig(level=LEVELS[settings.worker.log_level], stream=sys.stderr)
    worker = Trainer(settings, Learning(settings))

    async def pulse() -> Pulse:
        # A training of hours is no stall: its child's own end is what is watched.
        return Pulse(worker.ready, worker.lag, worker.last_done_ms)

    health = HealthServer(STAGE, settings.worker, pulse, worker.broker_answers)
    port = health.bind()
    await health.start()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop_soon)
    sys.stdout.write(f"{STAGE} listens on port {port}\n")
    sys.stdout.flush()
    try:
        await worker.run()
    finally:
        await health.stop()
