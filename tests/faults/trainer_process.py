"""A trainer whose process kills itself at a named moment: `python trainer_process.py MOMENT`.

Dataset and gate are the simplest there are; registry, jobs, consumer and training are the real
ones. Settings come from the environment, as for `opspilot trainer`.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from tiny_models import write_dataset

from schemas.learning import TrainingState
from streams.settings import load_settings
from training import jobs
from training.jobs import Settled
from training.registry import Facts, Registry
from training.stores import FolderStore
from training.trainer import Trainer

MOMENT = sys.argv[1]


def reach(moment: str) -> None:
    if moment == MOMENT:
        os.kill(os.getpid(), signal.SIGKILL)


class KilledStore(FolderStore):
    """Dies when all files are there and the manifest is not."""

    def put(self, key, content) -> None:
        reach("publishing")
        super().put(key, content)


class Around:
    def __init__(self, settings) -> None:
        self.registry = Registry(KilledStore(Path(settings.release.registry)))

    async def prepare(self, request, data) -> None:
        write_dataset(data, train=24)
        reach("preparing")

    async def settle(self, request, name, adapter) -> Settled:
        reach("trained")
        facts = Facts(model=request.model, passed=True, reason="better", created_ms=1)
        self.registry.publish(name, adapter, facts)
        reach("published")
        return Settled(TrainingState.RELEASED, "better")


async def main() -> None:
    settings = load_settings()
    trainer = Trainer(settings, Around(settings))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, trainer.stop_soon)
    run_child = jobs._run_child

    async def watched(order, log, told):
        async def hear(progress, figures) -> None:
            await told(progress, figures)
            if progress >= 0.3:
                reach("training")

        return await run_child(order, log, hear)

    jobs._run_child = watched
    end = jobs.Job._end

    def ending(job, result) -> None:
        end(job, result)
        reach("ended")

    jobs.Job._end = ending
    await trainer.run()


asyncio.run(main())
