"""A process that trains one adapter: `python -m training.lora.process ORDER.json`.

Comes in: an order, SIGTERM. Goes out: what `training.child` says of its progress, the adapter's
folder. Promise: SIGTERM lets it write its checkpoint first.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from training.child import say, tell, work_as_child
from training.lora.order import Order
from training.lora.run import train

if TYPE_CHECKING:
    from training.lora.loop import Step


def main(arguments: list[str]) -> int:
    """Train; returns the exit status."""
    order = Order.from_json(Path(arguments[0]).read_text(encoding="utf-8"))

    def work(should_stop: Callable[[], bool]) -> None:
        train(order, _report, should_stop, say)

    return work_as_child(work)


def _report(step: "Step") -> None:
    tell(
        {
            "step": step.step,
            "steps": step.steps,
            "epoch": step.epoch,
            "loss": step.loss,
            "validation_loss": step.validation_loss,
        }
    )


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    # Nothing is left to be done, and taking torch apart takes time.
    os._exit(status)
