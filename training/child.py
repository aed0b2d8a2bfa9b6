"""What the processes that train have in common, whatever they train.

Comes in: work to do, SIGTERM. Goes out: JSON lines on standard output (`step` of `steps`, or
`error`), an exit status. Promise: the process ends when its standard input does, so it never
outlives the one that started it; a fault that a person can mend is one sentence.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable

from streams.errors import OpsPilotError

STOPPED_STATUS = 75
ORPHANED_STATUS = 76
NICENESS = 10
"""Judging comes first on a machine that also trains."""


def work_as_child(work: Callable[[Callable[[], bool]], None]) -> int:
    """Do `work`, which is given whether it should stop; returns the exit status."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stopping.set())
    # Ctrl-C in a terminal reaches the whole group: the parent will say what is to be done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(NICENESS)
    try:
        work(stopping.is_set)
    except (OpsPilotError, FloatingPointError) as error:
        tell({"error": str(error)})
        return OpsPilotError.exit_status
    except Exception as error:
        # StoppedError is known only where torch is, which may not have been loaded.
        if type(error).__name__ == "StoppedError":
            return STOPPED_STATUS
        raise
    return 0


def tell(fields: dict[str, object]) -> None:
    """Say something to the process that started this one."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def say(sentence: str) -> None:
    """Say something to people: it ends up in the job's log."""
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(ORPHANED_STATUS)
