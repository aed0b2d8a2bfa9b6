"""The span of one call to a model server: who was asked, what came of it, how many tokens it took.

Comes in: backend, stage, adapter; then the reply, or the error. Goes out: a part of the present
span, where there is one. Promise: neither prompt nor answer is in it.
"""

from types import TracebackType
from typing import Self

from agents.llm.errors import ModelError
from streams.tracing.span import child_span


class CallSpan:
    """A context manager around one call and the reading of its answer."""

    def __init__(self, backend: str, stage: str, adapter: str | None) -> None:
        self._span = child_span("model call")
        self._span.tell(
            {
                "gen_ai.operation.name": "chat",
                "opspilot.backend": backend,
                "opspilot.stage": stage,
                "opspilot.adapter": adapter or "none",
            }
        )

    def replied(self, model: str, prompt_tokens: int, completion_tokens: int) -> None:
        """Take note of a reply, usable or not."""
        self._span.tell(
            {
                "gen_ai.response.model": model,
                "gen_ai.usage.input_tokens": prompt_tokens,
                "gen_ai.usage.output_tokens": completion_tokens,
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            reason = error.reason if isinstance(error, ModelError) else ModelError.reason
            self._span.fail(reason)
            self._span.tell({"opspilot.outcome": reason})
        else:
            self._span.tell({"opspilot.outcome": "answered"})
        self._span.end()
