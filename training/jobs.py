"""One training job: its folder, its child process, its end.

Comes in: a RetrainingRequest, what is to be done before and after the training. Goes out: the
RetrainingResult. Promise: each phase leaves its mark only when it is done, so a job that was killed
anywhere goes on at the phase it was in; a job that has ended gives the same result again.
"""

import asyncio
import contextlib
import json
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from agents.logic.judging.classifier import is_baseline
from schemas.learning import RetrainingRequest, RetrainingResult, TrainingState
from streams.errors import BrokerError, OpsPilotError
from streams.settings import Settings
from training.lora.order import Order
from training.lora.recipe import Device, Quantize, Recipe

CHILD = (sys.executable, "-m", "training.lora.process")
REFITTING = (sys.executable, "-m", "training.refit")
"""What learns where a baseline judges."""
STOP_SECONDS = 30.0
"""A step of a big model on a CPU takes long, and the child stops between two."""
_MAX_REASON = 512
Told = Callable[[float, Mapping[str, float]], Awaitable[None]]
"""Hears how far the training is (0 to 1), and its losses."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of an adapter that was trained."""

    state: TrainingState
    """RELEASED or REFUSED."""
    reason: str
    figures: Mapping[str, float] = field(default_factory=dict)


class Around(Protocol):
    """What comes before and after the training; both may be done again after a kill."""

    async def prepare(self, request: RetrainingRequest, data: Path) -> None:
        """Write the dataset into the folder `data`, which does not exist."""

    async def settle(self, request: RetrainingRequest, name: str, adapter: Path) -> Settled:
        """Let the gate decide on the adapter in a folder; keep it, and release it if it passed."""


class ChildDiedError(OpsPilotError):
    """The training's process died, and died again each time it was taken up."""


def recipe_of(settings: Settings) -> Recipe:
    """Return how these settings train."""
    training = settings.training
    return Recipe(
        epochs=training.epochs,
        batch=training.batch,
        learning_rate=training.learning_rate,
        max_tokens=training.max_tokens,
        seed=training.seed,
        quantize=Quantize(training.quantize.value),
        device=Device(training.device.value),
        recompute=training.recompute,
    )


class Job:
    """One request being worked on; `run` may be cancelled at any moment and begun again."""

    def __init__(self, request: RetrainingRequest, settings: Settings, around: Around) -> None:
        self.request = request
        self._settings = settings
        self._around = around
        self.name = f"triage-{_safe(request.id)}"
        """What the adapter is called: the same for the same request, wherever it is trained."""
        self._folder = settings.training.folder / "jobs" / _safe(request.id)

    def ended(self) -> RetrainingResult | None:
        """Return what came of the job, if it has ended."""
        with contextlib.suppress(OSError, ValidationError):
            return RetrainingResult.from_bytes((self._folder / "result.json").read_bytes())
        return None

    async def run(self, told: Told) -> RetrainingResult:
        """Do what is left to be done and return the result.

        Raises BrokerError, after which it may be run again; all other failures are results.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            if not (data := self._folder / "data").is_dir():
                await self._prepare(data)
            adapter = self._folder / "adapter"
            await self._train(data, adapter, told)
            settled = await self._around.settle(self.request, self.name, adapter)
            result = self.result(settled.state, settled.reason, settled.figures)
        except BrokerError:
            raise
        except OpsPilotError as error:
            result = self.result(TrainingState.FAILED, str(error))
        self._end(result)
        return result

    def result(
        self, state: TrainingState, reason: str, figures: Mapping[str, float] | None = None
    ) -> RetrainingResult:
        """Return a result of this job."""
        done = state in (TrainingState.RELEASED, TrainingState.REFUSED)
        return RetrainingResult(
            request_id=self.request.id,
            model=self.request.model,
            triggered=True,
            reason=reason[:_MAX_REASON],
            feedback_count=self.request.feedback_count,
            scheduled_time=self.request.scheduled_ms,
            state=state,
            progress=1.0 if done else 0.0,
            adapter=self.name if done else None,
            figures=dict(figures or {}),
        )

    async def _prepare(self, data: Path) -> None:
        draft = self._folder / ".data"
        shutil.rmtree(draft, ignore_errors=True)
        await self._around.prepare(self.request, draft)
        draft.rename(data)

    async def _train(self, data: Path, adapter: Path, told: Told) -> None:
        command: tuple[str, ...]
        if is_baseline(self.request.model):
            command = (*REFITTING, str(data), str(adapter))
        else:
            command = (*CHILD, str(self._write_order(data, adapter)))
        for _ in range(self._settings.training.attempts):
            if adapter.is_dir():
                return
            status, fault = await _run_child(command, self._folder / "training.log", told)
            if fault:
                raise OpsPilotError(fault)
        if not adapter.is_dir():
            raise ChildDiedError(
                f"the training's process ended {self._settings.training.attempts} times, last with "
                f"status {status}: see {self._folder / 'training.log'}; -9 often means that memory "
                "ran out, then lower OPSPILOT_TRAINING__BATCH"
            )

    def _write_order(self, data: Path, adapter: Path) -> Path:
        order = Order(
            name=self.name,
            base=self._settings.training.base,
            data=data,
            out=adapter,
            work=self._folder / "work",
            cache=self._settings.training.folder / "bases",
            recipe=recipe_of(self._settings),
        )
        file = self._folder / "order.json"
        file.write_text(order.to_json(), encoding="utf-8")
        return file

    def _end(self, result: RetrainingResult) -> None:
        draft = self._folder / ".result.json"
        with draft.open("wb") as stream:
            stream.write(result.to_bytes())
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(self._folder / "result.json")
        shutil.rmtree(self._folder / "work", ignore_errors=True)


async def _run_child(command: Sequence[str], log: Path, told: Told) -> tuple[int, str | None]:
    """Train in a process of its own; returns its status, and a sentence where it said one.

    When this is cancelled, the child has ended, its checkpoint written if there was time.
    """
    with log.open("ab") as errors:
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    fault: str | None = None
    try:
        assert child.stdout is not None
        async for line in child.stdout:
            said: dict[str, Any] = json.loads(line)
            if "error" in said:
                fault = str(said["error"])
            else:
                losses = {"loss": said["loss"], "validation_loss": said["validation_loss"]}
                known = {name: value for name, value in losses.items() if value is not None}
                await told(said["step"] / max(1, said["steps"]), known)
        return await child.wait(), fault
    finally:
        if child.returncode is None:
            await asyncio.shield(_end_child(child))


async def _end_child(child: "asyncio.subprocess.Process") -> None:
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
    try:
        await asyncio.wait_for(child.wait(), STOP_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def _safe(text: str) -> str:
    """Return an id as a name of a folder and of an adapter: ids of ours are that already."""
    kept = "".join(c if c.isalnum() and c.isascii() else "-" for c in text.lower())
    return kept[:48].strip("-") or "job"
