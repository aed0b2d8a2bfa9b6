"""A server that behaves as text-generation-inference 3.3 does, errors included.

    PYTHONPATH=tests python -m fakes.tgi_server --port 8080 --delay 5 --concurrent 16

As a process it prints its URL and serves until it is ended. Switches: --port, --delay SECONDS,
--concurrent N (more at once get 429), --failure-rate SHARE (500 incomplete_generation), --hang,
--api-key KEY, --adapter NAME (repeatable), --seed N. What is as in TGI and easily missed: the key
guards only the generation routes; an unknown adapter is answered by the base model, and the chat
route echoes its name; /generate puts <s> before a prompt that begins with it already.
"""

import argparse
import asyncio
import json
import math
import re
import signal
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from .acts import Act
from .model_server import Habits, ModelServer

MODEL = "fakes/tgi-model"
_TOKEN = re.compile(r"<[\w|/]+>|\w{1,4}|\s+|.", re.DOTALL)
_PARAMETERS = {
    "adapter_id", "best_of", "decoder_input_details", "details", "do_sample", "frequency_penalty",
    "grammar", "max_new_tokens", "repetition_penalty", "return_full_text", "seed", "stop",
    "temperature", "top_k", "top_n_tokens", "top_p", "truncate", "typical_p", "watermark",
}  # fmt: skip


def tokenize(text: str, *, adds_first: bool = True) -> list[dict[str, Any]]:
    """Split as a tokenizer of four-letter tokens would; `<s>` comes first."""
    tokens = [{"id": 1, "text": "", "start": 0, "stop": 0}] if adds_first else []
    for found in _TOKEN.finditer(text):
        number = 1 if found[0] == "<s>" else 3 + sum(found[0].encode())
        start, stop = found.span()
        tokens.append({"id": number, "text": found[0], "start": start, "stop": stop})
    return tokens


class TgiServer(ModelServer):
    """text-generation-inference on a port of its own."""

    generation_paths = frozenset({"/generate", "/v1/chat/completions"})

    def __init__(
        self,
        *,
        has_template: bool = True,
        knows_system: bool = True,
        max_input_tokens: int = 4_096,
        max_total_tokens: int = 8_192,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.has_template = has_template
        self.knows_system = knows_system
        self.max_input_tokens = max_input_tokens
        self.max_total_tokens = max_total_tokens
        self.is_healthy = True

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/health", self._health)
        router.add_get("/info", self._info)
        router.add_get("/v1/models", self._models)
        router.add_post("/tokenize", self._tokenize)
        router.add_post("/chat_tokenize", self._chat_tokenize)
        router.add_post("/generate", self._generate)
        router.add_post("/v1/chat/completions", self._chat)

    async def _health(self, _: web.Request) -> web.Response:
        if self.is_healthy:
            return web.Response()
        return _error(503, "unhealthy", "healthcheck")

    async def _info(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "model_id": MODEL,
                "model_sha": None,
                "model_pipeline_tag": "text-generation",
                "max_concurrent_requests": self.habits.max_concurrent,
                "max_best_of": 2,
                "max_stop_sequences": 4,
                "max_input_tokens": self.max_input_tokens,
                "max_total_tokens": self.max_total_tokens,
                "validation_workers": 2,
                "max_client_batch_size": 4,
                "router": "text-generation-router",
                "version": "3.3.5",
            }
        )

    async def _models(self, _: web.Request) -> web.Response:
        row = {"id": MODEL, "object": "model", "created": 0, "owned_by": MODEL}
        return web.json_response({"object": "list", "data": [row]})

    async def _tokenize(self, request: web.Request) -> web.Response:
        return web.json_response(tokenize((await request.json())["inputs"]))

    async def _chat_tokenize(self, request: web.Request) -> web.Response:
        messages = (await request.json())["messages"]
        if not self.has_template:
            message = "Template error: template not found"
            return _error(422, message, "template_error")
        if not self.knows_system and any(turn["role"] == "system" for turn in messages):
            message = "Template error: invalid operation: System role not supported"
            return _error(422, message, "template_error")
        text = render(messages)
        tokens = tokenize(text, adds_first=False)
        return web.json_response({"tokenize_response": tokens, "templated_text": text})

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        if not self.may(request):
            return web.Response(status=401)
        body = await request.json()
        inputs, parameters = body["inputs"], body.get("parameters", {})
        refusal = self._validate(inputs, parameters)
        if refusal is not None:
            return refusal
        grammar = parameters.get("grammar")
        schema = grammar["value"] if grammar else None

        def answer(act: Act) -> web.Response:
            text, finish = self._write(act, inputs, schema, parameters.get("adapter_id"))
            tokens = tokenize(text, adds_first=False)
            most = parameters.get("max_new_tokens", 100)
            if len(tokens) > most:
                tokens, finish = tokens[:most], "length"
                text = "".join(token["text"] for token in tokens)
            details = {
                "finish_reason": finish,
                "generated_tokens": len(tokens),
                "seed": None,
                "prefill": [],
                "tokens": [
                    {"id": t["id"], "text": t["text"], "logprob": -0.1, "special": False}
                    for t in tokens
                ],
            }
            found = {"generated_text": text}
            return web.json_response(
                found | ({"details": details} if parameters["details"] else {})
            )

        return await self.generate(request, answer)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        if not self.may(request):
            return web.Response(status=401)
        body = await request.json()
        wanted = body.get("response_format")
        if wanted is not None and "value" not in wanted:
            message = "Failed to deserialize the JSON body: response_format: missing field `value`"
            return web.Response(status=422, text=message)
        value = wanted["value"] if wanted else None
        schema = value.get("schema", value) if value else None
        prompt = render(body["messages"])

        def answer(act: Act) -> web.Response:
            text, finish = self._write(act, prompt, schema, body.get("model"))
            usage = {
                "prompt_tokens": len(tokenize(prompt, adds_first=False)),
                "completion_tokens": len(tokenize(text, adds_first=False)),
            }
            usage["total_tokens"] = sum(usage.values())
            message = {"role": "assistant", "content": text}
            finish = {"eos_token": "stop"}.get(finish, finish)
            choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
            return web.json_response(
                {
                    "object": "chat.completion",
                    "id": "",
                    "created": 0,
                    "model": body.get("model", MODEL),
                    "system_fingerprint": "3.3.5",
                    "choices": [choice],
                    "usage": usage,
                }
            )

        return await self.generate(request, answer)

    def _write(
        self, act: Act, prompt: str, schema: Mapping[str, Any] | None, adapter: str | None
    ) -> tuple[str, str]:
        if act.text is not None:
            return act.text, act.finish_reason or "eos_token"
        answering = adapter if adapter in self.adapters else None
        if schema is None:
            return (
                f"Certainly! {answering or 'base'} has read {len(prompt)} characters.",
                "eos_token",
            )
        return json.dumps(self.habits.answer(prompt, schema, answering)), "eos_token"

    def _validate(self, inputs: str, parameters: Mapping[str, Any]) -> web.Response | None:
        strange = set(parameters) - _PARAMETERS
        if strange:
            return web.Response(status=422, text=f"unknown field {min(strange)!r}")
        schema = (parameters.get("grammar") or {}).get("value", {"properties": {}})
        length, most = len(tokenize(inputs)), parameters.get("max_new_tokens", 100)
        temperature = parameters.get("temperature")
        if not inputs:
            message = "`inputs` cannot be empty"
        elif temperature is not None and not (temperature > 0 and math.isfinite(temperature)):
            message = "`temperature` must be strictly positive"
        elif "properties" not in schema:
            message = "Grammar must have a 'properties' field"
        elif length > self.max_input_tokens:
            limit = self.max_input_tokens
            message = f"`inputs` must have less than {limit} tokens. Given: {length}"
        elif length + most > self.max_total_tokens:
            message = (
                f"`inputs` tokens + `max_new_tokens` must be <= {self.max_total_tokens}. "
                f"Given: {length} `inputs` tokens and {most} `max_new_tokens`"
            )
        else:
            return None
        return _error(422, f"Input validation error: {message}", "validation")


def render(messages: list[dict[str, str]]) -> str:
    """Apply the chat template of this server's model."""
    turns = "".join(f"<|{turn['role']}|>\n{turn['content']}<|end|>\n" for turn in messages)
    return f"<s>{turns}<|assistant|>\n"


def _error(status: int, error: str, error_type: str) -> web.Response:
    return web.json_response({"error": error, "error_type": error_type}, status=status)


async def serve(server: ModelServer) -> None:
    """Run until the process is told to end."""
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    async with server:
        print(server.url, flush=True)
        await ending.wait()


def switches(description: str) -> argparse.ArgumentParser:
    """Return the switches that all fake servers know."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds of each generation")
    parser.add_argument("--concurrent", type=int, default=128, help="more at once get 429")
    parser.add_argument("--failure-rate", type=float, default=0.0, help="share that fails")
    parser.add_argument("--hang", action="store_true", help="never answer a generation")
    parser.add_argument("--api-key", default=None)
    parser.add_argument("--adapter", action="append", default=[], help="an adapter it has")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def options_of(parsed: argparse.Namespace) -> dict[str, Any]:
    """Turn the switches into what a server is made with."""
    habits = Habits(
        delay_seconds=parsed.delay,
        max_concurrent=parsed.concurrent,
        failure_rate=parsed.failure_rate,
        hangs=parsed.hang,
        seed=parsed.seed,
    )
    return {
        "port": parsed.port,
        "api_key": parsed.api_key,
        "adapters": set(parsed.adapter),
        "habits": habits,
    }


if __name__ == "__main__":
    asyncio.run(serve(TgiServer(**options_of(switches(__doc__ or "").parse_args()))))
