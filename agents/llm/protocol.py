"""What every model backend takes and gives.

Comes in: a Request: messages, the JSON Schema of the answer, an adapter, budgets. Goes out: a
Reply: a JSON object, tokens, latency, who answered; or a ModelError. Promise: a backend makes one
call per `complete`, never retries by itself, and never waits longer than the request's time budget.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from schemas.classification import Classification
from schemas.incident import Incident

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """One question; `schema` is a JSON Schema whose root is an object with properties."""

    messages: tuple[Message, ...]
    schema: Mapping[str, Any]
    max_tokens: int
    """Most tokens of the answer."""
    timeout_seconds: float
    subject: Incident | Classification | None = None
    """What the question is about: the baseline judges it instead of reading the messages."""
    adapter: str | None = None
    temperature: float = 0.0
    name: str = "answer"
    """What the schema is called, where a server wants a name."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; `content` is a JSON object, not yet validated against the project's own rules."""

    content: Mapping[str, Any]
    text: str
    model: str
    adapter: str | None
    prompt_tokens: int
    completion_tokens: int
    latency_ms: float


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a server says of itself; None where it says nothing."""

    model: str
    max_concurrent: int | None = None
    """How many requests it takes at once."""
    max_prompt_tokens: int | None = None
    adapters: tuple[str, ...] = field(default=())


class Backend(Protocol):
    """One model server, or the baseline."""

    name: str
    """`tgi`, `openai` or `baseline`: what records and metrics call it."""

    async def complete(self, request: Request) -> Reply:
        """Ask once; raises ModelError."""

    async def describe(self) -> ServerInfo:
        """Ask the server what it is; raises ModelError."""

    async def count_tokens(self, text: str) -> int:
        """Return how many tokens `text` is, by the model's own tokenizer; raises ModelError."""

    async def close(self) -> None:
        """Let go of connections."""
