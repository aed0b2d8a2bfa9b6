"""What the fake model servers share: a socket, a script, a limit, a record of what was asked.

    async with TgiServer(api_key="k") as server:
        server.script(acts.overloaded("3"), acts.hang())
        ...
        assert server.generations[0].body["parameters"]["max_new_tokens"] == 64

Acts are used up by generations, one each, in the order of arrival; then answers are well again.
"""

import asyncio
import contextlib
import json
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from . import acts
from .acts import Act
from .grammar import write_answer

Answer = Callable[[str, Mapping[str, Any], str | None], Any]
"""From prompt, schema and the adapter that really answers to the JSON value that it writes."""


def answer_by_prompt(prompt: str, schema: Mapping[str, Any], adapter: str | None) -> Any:
    """The usual answer: of the schema's form, different for each prompt and adapter."""
    return write_answer(schema, f"{adapter}|{prompt}")


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: Any = None


@dataclass
class Habits:
    """How the server behaves where no act says otherwise; may be changed while it runs."""

    delay_seconds: float = 0.0
    max_concurrent: int = 128
    failure_rate: float = 0.0
    hangs: bool = False
    answer: Answer = answer_by_prompt
    seed: int = 0


@dataclass
class Counts:
    """What was seen so far."""

    in_flight: int = 0
    most_in_flight: int = 0
    asked: list[Asked] = field(default_factory=list)


class ModelServer:
    """One server on a port of its own; a subclass adds the routes."""

    generation_paths: frozenset[str] = frozenset()
    prefix = ""

    def __init__(
        self,
        *,
        port: int = 0,
        api_key: str | None = None,
        adapters: frozenset[str] | set[str] = frozenset(),
        habits: Habits | None = None,
    ) -> None:
        self.api_key = api_key
        self.adapters = set(adapters)
        self.habits = habits or Habits()
        self.counts = Counts()
        self._port = port
        self._acts: deque[Act] = deque()
        self._chance = random.Random(self.habits.seed)
        self._ending = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.url = ""

    @property
    def requests(self) -> list[Asked]:
        """Everything asked, in the order of arrival."""
        return self.counts.asked

    @property
    def generations(self) -> list[Asked]:
        """What was asked of the model itself."""
        return [asked for asked in self.requests if asked.path in self.generation_paths]

    def script(self, *coming: Act) -> None:
        """Let the next generations go as `coming` says."""
        self._acts.extend(coming)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2 << 20, middlewares=[self._record])
        self.add_routes(app.router)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}{self.prefix}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        raise NotImplementedError

    def may(self, request: web.Request) -> bool:
        """Say whether the request has the right key."""
        given = request.headers.get("Authorization", "")
        return self.api_key is None or given == f"Bearer {self.api_key}"

    async def generate(
        self, request: web.Request, answer: Callable[[Act], web.Response]
    ) -> web.StreamResponse:
        """Answer one generation as the script, the habits and the limit say."""
        act = self._acts.popleft() if self._acts else self._by_habit()
        if self.counts.in_flight >= self.habits.max_concurrent:
            return _plain(acts.overloaded())
        self.counts.in_flight += 1
        self.counts.most_in_flight = max(self.counts.most_in_flight, self.counts.in_flight)
        try:
            return await self._perform(request, act, answer)
        finally:
            self.counts.in_flight -= 1

    async def _perform(
        self, request: web.Request, act: Act, answer: Callable[[Act], web.Response]
    ) -> web.StreamResponse:
        if act.hangs:
            await self._ending.wait()
        await asyncio.sleep(act.delay_seconds or self.habits.delay_seconds)
        if act.drops == "before":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        response = answer(act) if act.status is None else _plain(act)
        if act.drops is None and act.trickle_seconds is None:
            return response
        return await self._break_up(request, act, response)

    async def _break_up(
        self, request: web.Request, act: Act, whole: web.Response
    ) -> web.StreamResponse:
        """Send the answer in pieces, and not always to its end."""
        body = whole.body
        assert isinstance(body, bytes)
        response = web.StreamResponse(
            status=whole.status, headers={"Content-Type": "application/json"}
        )
        response.content_length = len(body)
        await response.prepare(request)
        if act.drops:
            await response.write(body[: len(body) // 2])
            assert request.transport is not None
            request.transport.close()
            return response
        with contextlib.suppress(ConnectionError):  # the client is free to leave
            for byte in body:
                if self._ending.is_set():
                    break
                await response.write(bytes([byte]))
                await asyncio.sleep(act.trickle_seconds or 0.0)
        return response

    def _by_habit(self) -> Act:
        if self.habits.hangs:
            return acts.hang()
        if self._chance.random() < self.habits.failure_rate:
            return acts.incomplete()
        return Act()

    @web.middleware
    async def _record(self, request: web.Request, handler: Any) -> web.StreamResponse:
        body = None
        if request.can_read_body:
            try:
                body = json.loads(await request.text())
            except ValueError:
                return web.json_response(
                    {"error": "no JSON", "error_type": "validation"}, status=422
                )
        self.requests.append(Asked(request.path, dict(request.headers), body))
        response: web.StreamResponse = await handler(request)
        return response


def _plain(act: Act) -> web.Response:
    return web.Response(
        status=act.status or 200,
        body=act.body,
        headers={**act.headers, "Content-Type": act.content_type},
    )
