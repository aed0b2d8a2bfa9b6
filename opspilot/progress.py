"""Says how far a long command is, on the error stream: one live line in a terminal, else lines.

Comes in: sentences and steps. Goes out: text with the seconds since the start. Promise: results on
standard output are never mixed with it; an unchanged step is not repeated.
"""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.status import Status
from rich.text import Text

from streams.clock import monotonic_ms

if TYPE_CHECKING:
    from opspilot.settling import Step

QUIET_MS = 2_000


class Narrator:
    """A context manager; `say` writes a line, `step` shows where a wait stands."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._start_ms = monotonic_ms()
        self._status: Status | None = None
        self._last = ""
        self._last_ms = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._still()

    def say(self, sentence: str) -> None:
        """Write a line."""
        self._still()
        self._console.print(Text(f"{self._seconds():5.1f} s  {sentence}"))
        sys.stderr.flush()

    def step(self, step: "Step") -> None:
        """Show where the wait stands: at once in a terminal, else when it changed, now and then."""
        text = (
            f"{step.lines:,} lines read, {step.windowed:,} in windows, "
            f"{step.incidents} incidents; waiting for {step.waiting_for}"
        )
        if self._console.is_terminal:
            if self._status is None:
                self._status = self._console.status(Text(text))
                self._status.start()
            self._status.update(Text(text))
            return
        now = monotonic_ms()
        if text != self._last and now - self._last_ms >= QUIET_MS:
            self._last, self._last_ms = text, now
            self.say(text)

    def _still(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _seconds(self) -> float:
        return (monotonic_ms() - self._start_ms) / 1000
