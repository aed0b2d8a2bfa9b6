"""The `tgi` backend: Hugging Face's text-generation-inference, through its own client.

Comes in: a Request. Goes out: a Reply whose JSON the server's grammar enforced. Promise: one
generation per `complete`, within its time; whatever else stands at the address is said to be no
TGI. An adapter that the server lacks is answered by the base model without a word: only a probe
shows it.
"""

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import httpx
from huggingface_hub import AsyncInferenceClient, TextGenerationInputGrammarType

from agents.llm.chat_template import ChatTemplate
from agents.llm.connection import Connection
from agents.llm.errors import RejectedError, RetryableError, ServerFaultError
from agents.llm.protocol import Reply, Request, ServerInfo
from agents.llm.reading import parse_object

ROUTER = "text-generation-router"
"""What `/info` calls itself; nothing else does."""


@dataclass(frozen=True, slots=True)
class TgiOptions:
    """Where the server is and how long it may take to say what it is."""

    url: str
    api_key: str | None = None
    model: str | None = None
    ask_seconds: float = 10.0
    answer_tokens: int = 1_500
    """The longest answer that will be asked for: it shares the model's room with the prompt."""


class _Client(AsyncInferenceClient):
    """The library's client, speaking through our connection: see `agents/llm/connection.py`."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(model=f"{connection.root}/generate", token="")
        self._guarded = connection.client

    async def _get_async_client(self) -> httpx.AsyncClient:
        return self._guarded


class TgiBackend:
    """One text-generation-inference server."""

    name = "tgi"

    def __init__(self, options: TgiOptions) -> None:
        self._options = options
        self._connection = Connection(options.url, options.api_key)
        self._client = _Client(self._connection)
        self._template = ChatTemplate(self._connection)
        self._info: ServerInfo | None = None

    async def complete(self, request: Request) -> Reply:
        """Ask once; raises ModelError."""
        started = perf_counter()
        try:
            async with self._connection.within(request.timeout_seconds):
                info = self._info or await self._describe()
                prompt = await self._template.render(request.messages)
                output = await self._generate(prompt.text, request)
        except RetryableError:
            # It may come back as another: with another model, or another template.
            self._info, self._template = None, ChatTemplate(self._connection)
            raise
        text, tokens, is_cut = output
        return Reply(
            content=parse_object(text, is_cut=is_cut),
            text=text,
            model=info.model,
            adapter=request.adapter,
            prompt_tokens=prompt.tokens,
            completion_tokens=tokens,
            latency_ms=(perf_counter() - started) * 1000,
        )

    async def describe(self) -> ServerInfo:
        """Ask the server what it is; raises ModelError, RejectedError where it is no TGI."""
        async with self._connection.within(self._options.ask_seconds):
            return await self._describe()

    async def count_tokens(self, text: str) -> int:
        """Return how many tokens `text` is, by the model's own tokenizer; raises ModelError."""
        async with self._connection.within(self._options.ask_seconds):
            return await self._template.count(text)

    async def close(self) -> None:
        """Let go of connections."""
        await self._connection.close()

    async def _generate(self, prompt: str, request: Request) -> tuple[str, int, bool]:
        is_greedy = request.temperature <= 0.0
        output = await self._client.text_generation(
            prompt,
            details=True,
            stream=False,
            adapter_id=request.adapter,
            # TGI refuses a temperature of 0; without sampling it takes the likeliest token.
            do_sample=not is_greedy,
            temperature=None if is_greedy else request.temperature,
            grammar=TextGenerationInputGrammarType(type="json", value=dict(request.schema)),
            max_new_tokens=request.max_tokens,
            return_full_text=False,
        )
        text, details = output.generated_text, output.details
        if not isinstance(text, str) or details is None:
            raise ServerFaultError(f"{self._connection.origin} answered without text or details")
        return text, int(details.generated_tokens), details.finish_reason == "length"

    async def _describe(self) -> ServerInfo:
        origin = self._connection.origin
        advice = "set OPSPILOT_MODEL__BACKEND=openai for other servers"
        try:
            found = await self._connection.get("/info")
        except RejectedError as error:
            if error.reason != "rejected":
                raise
            raise RejectedError(
                f"{origin} is no text-generation-inference, for it has no /info; {advice}"
            ) from None
        if not isinstance(found, dict) or found.get("router") != ROUTER:
            raise RejectedError(
                f"{origin} is no text-generation-inference by what its /info says; {advice}"
            )
        if "model_id" not in found:
            raise RejectedError(f"{origin} names no model_id at /info, as TGI would; {advice}")
        self._info = ServerInfo(
            model=self._options.model or str(found["model_id"]),
            max_concurrent=_positive(found.get("max_concurrent_requests")),
            max_prompt_tokens=self._most_prompt_tokens(found),
        )
        return self._info

    def _most_prompt_tokens(self, info: dict[str, Any]) -> int | None:
        """Return the least bound: of the input itself, and of what an answer leaves of the room."""
        limits = [info.get("max_input_tokens"), info.get("max_input_length")]
        if total := _positive(info.get("max_total_tokens")):
            limits.append(total - self._options.answer_tokens)
        return min(filter(None, map(_positive, limits)), default=None)


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
