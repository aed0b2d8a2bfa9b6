"""The training itself: steps, checkpoints, validation, an early end.

Comes in: a base with adapters, encoded examples, a recipe, a folder. Goes out: the adapters of the
best epoch, in the model, and what was seen on the way. Promise: a run that was killed at any moment
goes on from its last checkpoint and ends with the very adapters it would have ended with.
"""

import math
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from streams.clock import monotonic_ms
from training.lora.base import Trainable
from training.lora.batches import steps_of_epoch
from training.lora.checkpoint import (
    RunState,
    adapters_of,
    load_checkpoint,
    put_adapters,
    save_checkpoint,
)
from training.lora.encode import Encoded
from training.lora.loss import completion_loss
from training.lora.packing import pack
from training.lora.recipe import Recipe

CHECKPOINT = "checkpoint.pt"
CHECKPOINT_EVERY_MS = 30_000
_SEED_STEP = 1_000_003


class StoppedError(Exception):
    """The run was told to stop, and its checkpoint is written."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step showed."""

    step: int
    steps: int
    epoch: int
    loss: float
    validation_loss: float | None = None
    """After the last step of an epoch."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run came to."""

    steps: int
    epochs: int
    best_epoch: int
    train_losses: tuple[float, ...]
    validation_losses: tuple[float, ...]
    resumed_at: int
    seconds: float
    peak_memory_mib: int


def train_adapters(
    trainable: Trainable,
    train: Sequence[Encoded],
    validation: Sequence[Encoded],
    recipe: Recipe,
    *,
    folder: Path,
    fingerprint: str,
    report: Callable[[Step], None],
    should_stop: Callable[[], bool],
    checkpoint_every_ms: int = CHECKPOINT_EVERY_MS,
) -> Trained:
    """Train to the end, or raise StoppedError; `fingerprint` names recipe, base and data.

    Without validation examples the last epoch is taken for the best.
    """
    run = _Run(trainable, recipe, len(train), folder / CHECKPOINT, fingerprint)
    resumed_at = run.begin()
    state = run.state
    started_ms = saved_ms = monotonic_ms()
    before_seconds = state.trained_seconds
    while state.epoch < recipe.epochs and state.stale < recipe.patience:
        steps = steps_of_epoch(len(train), recipe.batch, recipe.seed, state.epoch)
        for indices in steps[state.place :]:
            loss = run.step([train[index] for index in indices])
            state.trained_seconds = before_seconds + (monotonic_ms() - started_ms) / 1000
            if should_stop():
                run.save()
                raise StoppedError
            if monotonic_ms() - saved_ms >= checkpoint_every_ms:
                run.save()
                saved_ms = monotonic_ms()
            if state.place < len(steps):
                report(Step(state.step, run.steps, state.epoch + 1, loss))
        found = run.validate(validation)
        run.end_epoch(len(steps), found)
        run.save()
        saved_ms = monotonic_ms()
        report(Step(state.step, run.steps, state.epoch, state.train_losses[-1], found))
    put_adapters(trainable.model, state.best)
    return Trained(
        steps=state.step,
        epochs=state.epoch,
        best_epoch=state.best_epoch,
        train_losses=tuple(state.train_losses),
        validation_losses=tuple(state.validation_losses),
        resumed_at=resumed_at,
        seconds=round(state.trained_seconds, 3),
        peak_memory_mib=peak_memory_mib(trainable.device),
    )


def peak_memory_mib(device: str) -> int:
    """Return the most memory held so far: the GPU's where one computes, else this process's."""
    if device == "cuda":
        return int(torch.cuda.max_memory_allocated()) >> 20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> 20 if sys.platform == "darwin" else peak >> 10


class _Run:
    """One run: the model, the optimizer, the state."""

    def __init__(
        self, trainable: Trainable, recipe: Recipe, examples: int, file: Path, fingerprint: str
    ) -> None:
        self._trainable = trainable
        self._recipe = recipe
        self._file = file
        self._fingerprint = fingerprint
        self._changing = [p for p in trainable.model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(
            self._changing, lr=recipe.learning_rate, weight_decay=0.0
        )
        self.steps = recipe.epochs * max(1, math.ceil(examples / recipe.batch))
        self.state = RunState()

    def begin(self) -> int:
        """Take up a checkpoint where there is one; return at which step."""
        model = self._trainable.model
        found = load_checkpoint(self._file, self._fingerprint, model, self._optimizer)
        self.state = found or RunState()
        return self.state.step

    def save(self) -> None:
        """Write the checkpoint."""
        save_checkpoint(
            self._file, self._fingerprint, self.state, self._trainable.model, self._optimizer
        )

    def step(self, examples: Sequence[Encoded]) -> float:
        """Learn from some examples; return their loss before that."""
        state, recipe = self.state, self._recipe
        # Dropout draws from the step's own number, so it needs no memory of the steps before.
        torch.manual_seed(recipe.seed * _SEED_STEP + state.step)
        self._trainable.model.train()
        share_left = 1 - state.step / self.steps
        for group in self._optimizer.param_groups:
            group["lr"] = recipe.learning_rate * share_left
        loss = completion_loss(self._trainable.network, pack(examples, self._trainable.device))
        loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
        torch.nn.utils.clip_grad_norm_(self._changing, recipe.clip)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(
                f"the loss is {value} at step {state.step + 1}: "
                "lower OPSPILOT_TRAINING__LEARNING_RATE"
            )
        state.step += 1
        state.place += 1
        state.summed_loss += value
        return value

    def validate(self, examples: Sequence[Encoded]) -> float | None:
        """Return the mean loss per token of an answer; None without examples."""
        if not examples:
            return None
        self._trainable.model.eval()
        total = tokens = 0.0
        with torch.no_grad():
            for begin in range(0, len(examples), self._recipe.batch):
                packed = pack(examples[begin : begin + self._recipe.batch], self._trainable.device)
                loss = completion_loss(self._trainable.network, packed)
                total += float(loss) * len(packed.targets)
                tokens += len(packed.targets)
        return total / tokens

    def end_epoch(self, steps: int, validation_loss: float | None) -> None:
        """Note how the epoch went, and keep its adapters if they are the best so far."""
        state = self.state
        state.train_losses.append(state.summed_loss / max(1, steps))
        better = validation_loss is None or validation_loss < min(
            state.validation_losses, default=math.inf
        )
        if validation_loss is not None:
            state.validation_losses.append(validation_loss)
        state.epoch += 1
        state.place, state.summed_loss = 0, 0.0
        state.stale = 0 if better else state.stale + 1
        if better:
            state.best_epoch = state.epoch
            state.best = adapters_of(self._trainable.model)
