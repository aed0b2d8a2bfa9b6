"""Which examples make which step.

Comes in: how many examples there are, the batch size, a seed. Goes out: for each epoch, lists of
indices. Promise: a function of its arguments alone, so a run that goes on after a kill takes the
very steps it would have taken.
"""

import hashlib


def steps_of_epoch(count: int, batch: int, seed: int, epoch: int) -> list[list[int]]:
    """Return the steps of one epoch: every example once, in an order of its own per epoch.

    The last step takes what is left, shared out so that none is much smaller than the others.
    """
    order = sorted(range(count), key=lambda index: _draw(seed, epoch, index))
    steps = max(1, -(-count // batch))
    return [order[number::steps] for number in range(steps)] if count else []


def _draw(seed: int, epoch: int, index: int) -> bytes:
    return hashlib.sha256(f"{seed} {epoch} {index}".encode()).digest()
