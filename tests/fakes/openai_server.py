"""A server that behaves as vLLM's OpenAI-compatible one does: adapters are models, `/tokenize`.

    PYTHONPATH=tests python -m fakes.openai_server --port 8000 --adapter opspilot-3

The switches are those of fakes.tgi_server. The key guards every route under /v1. `kind="llamacpp"`
makes it name itself and weigh adapters as llama.cpp does, without a model to load.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from .acts import Act
from .model_server import ModelServer
from .tgi_server import options_of, render, serve, switches, tokenize

MODEL = "fakes/base-model"


class OpenAiServer(ModelServer):
    """vLLM, or llama.cpp's server, on a port of its own."""

    generation_paths = frozenset({"/v1/chat/completions"})
    prefix = "/v1"

    def __init__(
        self,
        *,
        kind: str = "vllm",
        room: int = 8_192,
        has_tokenizer: bool = True,
        slots: int = 3,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.kind = kind
        self.room = room
        self.has_tokenizer = has_tokenizer
        self.slots = slots

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/models", self._models)
        router.add_post("/v1/chat/completions", self._chat)
        if self.has_tokenizer:
            router.add_post("/tokenize", self._tokenize)
        if self.kind == "llamacpp":
            router.add_get("/props", self._props)
            router.add_get("/lora-adapters", self._lora_adapters)

    async def _models(self, request: web.Request) -> web.Response:
        if not self.may(request):
            return _error(401, "Unauthorized", "UnauthorizedError")
        if self.kind == "llamacpp":
            rows = [{"id": f"/models/{MODEL}.gguf", "object": "model", "owned_by": "llamacpp"}]
            return web.json_response({"object": "list", "data": rows})
        shared = {"object": "model", "owned_by": self.kind}
        rows = [{"id": MODEL, "parent": None, "max_model_len": self.room, **shared}]
        rows += [{"id": name, "parent": MODEL, **shared} for name in sorted(self.adapters)]
        return web.json_response({"object": "list", "data": rows})

    async def _props(self, _: web.Request) -> web.Response:
        settings = {"n_ctx": self.room}
        return web.json_response(
            {"default_generation_settings": settings, "total_slots": self.slots}
        )

    async def _lora_adapters(self, _: web.Request) -> web.Response:
        rows = [
            {"id": position, "path": f"/adapters/{name}.gguf", "scale": 1.0}
            for position, name in enumerate(sorted(self.adapters))
        ]
        return web.json_response(rows)

    async def _tokenize(self, request: web.Request) -> web.Response:
        body = await request.json()
        tokens = [
            t["id"] for t in tokenize(body["content" if self.kind == "llamacpp" else "prompt"])
        ]
        if self.kind == "llamacpp":
            return web.json_response({"tokens": tokens})
        counted = {"count": len(tokens), "max_model_len": self.room}
        return web.json_response(counted | {"tokens": tokens})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        if not self.may(request):
            return _error(401, "Unauthorized", "UnauthorizedError")
        body = await request.json()
        if self.kind == "vllm" and body["model"] not in {MODEL, *self.adapters}:
            return _error(404, f"The model `{body['model']}` does not exist.", "NotFoundError")
        prompt = render(body["messages"])
        length = len(tokenize(prompt, adds_first=False))
        if length + body["max_tokens"] > self.room:
            message = (
                f"This model's maximum context length is {self.room} tokens. However, you "
                f"requested {length + body['max_tokens']} tokens. Please reduce the length."
            )
            return _error(400, message, "BadRequestError")
        wanted = body.get("response_format")
        schema = wanted["json_schema"]["schema"] if wanted else None

        def answer(act: Act) -> web.Response:
            text, finish = self._write(act, prompt, schema, self._answering(body))
            tokens = tokenize(text, adds_first=False)
            if len(tokens) > body["max_tokens"]:
                tokens, finish = tokens[: body["max_tokens"]], "length"
                text = "".join(token["text"] for token in tokens)
            usage = {"prompt_tokens": length, "completion_tokens": len(tokens)}
            usage["total_tokens"] = sum(usage.values())
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
            return web.json_response(
                {
                    "id": "chatcmpl-1",
                    "object": "chat.completion",
                    "created": 0,
                    "model": body["model"],
                    "choices": [choice],
                    "usage": usage,
                }
            )

        return await self.generate(request, answer)

    def _answering(self, body: Mapping[str, Any]) -> str | None:
        """Return the adapter that answers: the model named, or the one that is weighed fully."""
        if self.kind != "llamacpp":
            return body["model"] if body["model"] in self.adapters else None
        names = sorted(self.adapters)
        # An adapter that a request does not weigh keeps its default, which is 1.
        scales = dict.fromkeys(names, 1.0)
        scales |= {names[row["id"]]: row["scale"] for row in body.get("lora", [])}
        return next((name for name in names if scales[name] > 0), None)

    def _write(
        self, act: Act, prompt: str, schema: Mapping[str, Any] | None, adapter: str | None
    ) -> tuple[str, str]:
        if act.text is not None:
            return act.text, "length" if act.finish_reason == "length" else "stop"
        if schema is None:
            return "Certainly!", "stop"
        return json.dumps(self.habits.answer(prompt, schema, adapter)), "stop"


def _error(status: int, message: str, kind: str) -> web.Response:
    error = {"message": message, "type": kind, "param": None, "code": status}
    return web.json_response({"error": error}, status=status)


if __name__ == "__main__":
    asyncio.run(serve(OpenAiServer(**options_of(switches(__doc__ or "").parse_args()))))
