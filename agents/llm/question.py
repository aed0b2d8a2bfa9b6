"""One question to a model, and what came of it.

Comes in: how to build the request, read the answer and ask for its repair. Goes out: an Outcome.
Promise: plain values; an Outcome holds either a value or a reason.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from agents.llm.errors import BadAnswerError
from agents.llm.fitting import CountTokens
from agents.llm.protocol import Request
from agents.llm.reasons import FallbackReason

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """What to ask and how to read the answer."""

    prepare: Callable[[CountTokens], Awaitable[Request]]
    """Builds the request, counting tokens where it must; raises ModelError."""
    read: Callable[[Mapping[str, Any], str], T]
    """Reads content and text of an answer; raises BadAnswerError that says what is wrong."""
    repair: Callable[[Request, BadAnswerError], Request]
    """Asks again, with the text that came and what was wrong with it."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T_co]):
    """What came of a question; without a value there is a reason."""

    value: T_co | None
    reason: FallbackReason | None
    model: str | None = None
    adapter: str | None = None
    tokens: int = 0
    """Read and written by the model, over all calls."""
    latency_ms: float = 0.0
    """Of all calls and waits between them, without the wait for a turn."""
    calls: int = 0
