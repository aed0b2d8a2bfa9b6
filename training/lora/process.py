"""A process that trains one adapter: `python -m training.lora.process ORDER.json`.

Comes in: an order, SIGTERM. Goes out: JSON lines on standard output (`step` of `steps`, or
`error`), an exit status. Promise: it ends when its standard input does, so it never outlives the
process that started it; SIGTERM lets it write its checkpoint first.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from streams.errors import OpsPilotError
from training.lora.order import Order
from training.lora.run import train

if TYPE_CHECKING:
    from training.lora.loop import Step

STOPPED_STATUS = 75
ORPHANED_STATUS = 76
NICENESS = 10
"""Judging comes first on a machine that also trains."""


def main(arguments: list[str]) -> int:
    """Train; returns the exit status."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stopping.set())
    # Ctrl-C in a terminal reaches the whole group: the parent will say what is to be done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(NICENESS)
    order = Order.from_json(Path(arguments[0]).read_text(encoding="utf-8"))
    try:
        train(order, _report, stopping.is_set, _say)
    except OpsPilotError as error:
        _tell({"error": str(error)})
        return OpsPilotError.exit_status
    except FloatingPointError as error:
        _tell({"error": str(error)})
        return OpsPilotError.exit_status
    except Exception as error:
        # StoppedError is known only where torch is, which may not have been loaded.
        if type(error).__name__ == "StoppedError":
            return STOPPED_STATUS
        raise
    return 0


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(ORPHANED_STATUS)


def _report(step: "Step") -> None:
    _tell(
        {
            "step": step.step,
            "steps": step.steps,
            "epoch": step.epoch,
            "loss": step.loss,
            "validation_loss": step.validation_loss,
        }
    )


def _say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()


def _tell(fields: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    # Nothing is left to be done, and taking torch apart takes time.
    os._exit(status)
