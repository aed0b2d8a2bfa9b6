"""All that a run needs to go on after a kill, in one file.

Comes in: the state of a run. Goes out: the same state, in this process or the next. Promise: the
file is there whole or as it was before; one of another recipe, base or data is not taken up.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

_VERSION = 1
_ERRORS = (OSError, RuntimeError, EOFError, KeyError, ValueError)


@dataclass(slots=True)
class RunState:
    """Where a run stands; every step follows from it alone."""

    step: int = 0
    epoch: int = 0
    place: int = 0
    """Steps done of this epoch."""
    summed_loss: float = 0.0
    """Of this epoch's steps."""
    train_losses: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    stale: int = 0
    """Epochs since the best validation loss."""
    best_epoch: int = 0
    """Counted from 1; 0: none has ended."""
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    """The adapters of the best epoch."""
    trained_seconds: float = 0.0


def save_checkpoint(
    file: Path, fingerprint: str, state: RunState, model: Any, optimizer: torch.optim.Optimizer
) -> None:
    """Write everything, then put it in place of what was there."""
    content = {
        "version": _VERSION,
        "fingerprint": fingerprint,
        "state": {name: getattr(state, name) for name in RunState.__slots__},
        "adapters": adapters_of(model),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
    }
    draft = file.with_name(f".{file.name}")
    with draft.open("wb") as stream:
        torch.save(content, stream)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)


def load_checkpoint(
    file: Path, fingerprint: str, model: Any, optimizer: torch.optim.Optimizer
) -> RunState | None:
    """Put model and optimizer where the checkpoint has them; None where there is nothing to use."""
    if not file.is_file():
        return None
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
        if content["version"] != _VERSION or content["fingerprint"] != fingerprint:
            return None
        state = RunState(**content["state"])
        put_adapters(model, content["adapters"])
        optimizer.load_state_dict(content["optimizer"])
        torch.set_rng_state(content["random"])
    except _ERRORS:
        # It was whole when it was written: the disk has lost it. Beginning again is always right.
        return None
    return state


def adapters_of(model: Any) -> dict[str, torch.Tensor]:
    """Return a copy of all that training may change, by name."""
    return {
        name: parameter.detach().cpu().clone()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def put_adapters(model: Any, adapters: dict[str, torch.Tensor]) -> None:
    """Set all that training may change; raises KeyError for a name that is not there."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(adapters[name])
