"""The `openai` backend: vLLM, llama.cpp, Hugging Face endpoints, any server of the same form.

Comes in: a Request. Goes out: a Reply. Promise: one completion per `complete`, within its time. An
adapter is a model's name at vLLM and its kin; at llama.cpp, where adapters are files that each
request weighs, one that the server lacks is refused instead of being left out in silence.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import Any, cast

import httpx2
from openai import AsyncOpenAI

from agents.llm.connection import Connection
from agents.llm.errors import (
    BadAnswerError,
    NotAllowedError,
    RejectedError,
    RetryableError,
    ServerFaultError,
)
from agents.llm.protocol import Reply, Request, ServerInfo
from agents.llm.reading import estimate_tokens, parse_object
from agents.llm.served import Kind, Served, read_llama_cpp, read_models

KNOWN_SECONDS = 10.0
"""For how long what a server said of itself is believed: adapters come and go while it runs."""


@dataclass(frozen=True, slots=True)
class OpenAiOptions:
    """Where the server is and how long it may take to say what it is."""

    url: str
    """With the path that ends in /v1."""
    api_key: str | None = None
    model: str | None = None
    ask_seconds: float = 10.0
    answer_tokens: int = 1_500
    """The longest answer that will be asked for: it shares the model's room with the prompt."""


class OpenAiBackend:
    """One OpenAI-compatible server."""

    name = "openai"

    def __init__(self, options: OpenAiOptions) -> None:
        self._options = options
        self._connection = Connection(options.url, options.api_key)
        self._client = AsyncOpenAI(
            base_url=options.url,
            # The connection signs; without a key here the library asks the environment.
            api_key="none",
            max_retries=0,
            timeout=None,
            # It takes a client of either generation of httpx; its types name only the newer.
            http_client=cast(httpx2.AsyncClient, self._connection.client),
        )
        self._served: Served | None = None
        self._served_until = 0.0
        self._counts_tokens = True

    async def complete(self, request: Request) -> Reply:
        """Ask once; raises ModelError."""
        started = perf_counter()
        async with self._forgetting(), self._connection.within(request.timeout_seconds):
            served = await self._what_is_served(request.adapter)
            answer = await self._client.chat.completions.create(**self._body(request, served))
            text, is_cut = _text_of(answer)
        usage = answer.usage
        return Reply(
            content=parse_object(text, is_cut=is_cut),
            text=text,
            model=self._model(served),
            adapter=request.adapter,
            prompt_tokens=_count(usage and usage.prompt_tokens),
            completion_tokens=_count(usage and usage.completion_tokens),
            latency_ms=(perf_counter() - started) * 1000,
        )

    async def describe(self) -> ServerInfo:
        """Ask the server what it is; raises ModelError."""
        async with self._forgetting(), self._connection.within(self._options.ask_seconds):
            served = await self._ask()
        room = served.context_tokens
        return ServerInfo(
            model=self._model(served),
            max_concurrent=served.slots,
            max_prompt_tokens=max(1, room - self._options.answer_tokens) if room else None,
            adapters=tuple(sorted(served.adapters)),
        )

    async def count_tokens(self, text: str) -> int:
        """Return how many tokens `text` is; raises ModelError.

        By the model's own tokenizer where the server has `/tokenize`, else `estimate_tokens`.
        """
        if not self._counts_tokens:
            return estimate_tokens(text)
        async with self._forgetting(), self._connection.within(self._options.ask_seconds):
            model = self._model(await self._what_is_served(None))
            try:
                # llama.cpp reads `content`, vLLM `prompt` with `model`, TGI `inputs`; each ignores
                # what the others read.
                body = {"content": text, "prompt": text, "model": model, "inputs": text}
                found = await self._connection.post("/tokenize", body)
            except NotAllowedError:
                raise
            except RejectedError:
                self._counts_tokens = False
                return estimate_tokens(text)
            return len(found if isinstance(found, list) else found["tokens"])

    async def close(self) -> None:
        """Let go of connections."""
        await self._connection.close()

    def _body(self, request: Request, served: Served) -> dict[str, Any]:
        is_llama = served.kind is Kind.LLAMA_CPP
        body: dict[str, Any] = {
            "model": self._model(served) if is_llama or not request.adapter else request.adapter,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "response_format": response_format(request.name, request.schema),
        }
        if is_llama and served.adapters:
            # Each adapter is weighed in each request: what is not named would keep its default.
            weights = [
                {"id": number, "scale": 1.0 if name == request.adapter else 0.0}
                for name, number in served.adapters.items()
            ]
            body["extra_body"] = {"lora": weights}
        return body

    async def _what_is_served(self, adapter: str | None) -> Served:
        """Return what is served; asks again where it is old, or lacks the adapter."""
        served = self._served
        if served is None or monotonic() > self._served_until or _lacks(served, adapter):
            served = await self._ask()
        if _lacks(served, adapter):
            known = ", ".join(sorted(served.adapters)) or "none"
            origin = self._connection.origin
            raise RejectedError(f"{origin} has no adapter {adapter!r}; it has: {known}")
        return served

    async def _ask(self) -> Served:
        """Ask the server; without /v1/models it is taken as it is, if the settings name a model."""
        try:
            served = read_models(await self._connection.get(self._models_path()))
        except NotAllowedError:
            raise
        except RejectedError:
            served = Served(Kind.OTHER, None, {})
        if served.kind is Kind.LLAMA_CPP:
            props = await self._optional("/props")
            served = read_llama_cpp(served, props, await self._optional("/lora-adapters"))
        if self._options.model is None and served.model is None:
            raise RejectedError(
                f"{self._connection.origin} names no model at /v1/models: set "
                "OPSPILOT_MODEL__NAME, or end OPSPILOT_MODEL__URL in /v1 where it lacks that"
            )
        self._served, self._served_until = served, monotonic() + KNOWN_SECONDS
        return served

    def _models_path(self) -> str:
        return self._connection.url.removeprefix(self._connection.root) + "/models"

    async def _optional(self, path: str) -> Any:
        try:
            return await self._connection.get(path)
        except RejectedError:
            return None

    def _model(self, served: Served) -> str:
        return self._options.model or served.model or ""

    @asynccontextmanager
    async def _forgetting(self) -> AsyncIterator[None]:
        """Forget what the server was when it fails: it may come back with other adapters."""
        try:
            yield
        except RetryableError:
            self._served = None
            raise


def response_format(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for JSON of `schema` in the one way that vLLM, llama.cpp and TGI all accept.

    The first two read `json_schema` as OpenAI has it; TGI refuses that and reads `value`.
    """
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "strict": True, "schema": dict(schema)},
        "value": {"name": name, "schema": dict(schema)},
    }


def _lacks(served: Served, adapter: str | None) -> bool:
    """Only llama.cpp and vLLM say which adapters they have; others answer for themselves."""
    return served.kind is not Kind.OTHER and bool(adapter) and adapter not in served.adapters


def _text_of(answer: Any) -> tuple[str, bool]:
    """Return what the model wrote and whether it was cut; the library has checked no field."""
    if not answer.choices:
        raise ServerFaultError("the server answered without any choice")
    choice = answer.choices[0]
    text = choice.message.content
    if not isinstance(text, str) or not text.strip():
        raise BadAnswerError(f"the model wrote nothing (it ended by {choice.finish_reason!s:.40})")
    return text, choice.finish_reason == "length"


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
