"""A server of OpenAI's `/v1/embeddings` whose model knows which words mean the same.

    async with FakeEmbeddingServer([{"lookup", "resolve"}, {"disk", "volume"}]) as server:
        server.script(acts.unavailable(), acts.hang())

Each text becomes counts of words by bucket, words of one group in one bucket: the same text gives
the same vector everywhere. Acts are used up by requests, one each.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any
from zlib import crc32

from aiohttp import web

from .acts import Act
from .model_server import ModelServer

BUCKETS = 512
MODEL = "fakes/meaning"


class FakeEmbeddingServer(ModelServer):
    """One embedding server on a port of its own; its faults may be changed while it runs."""

    generation_paths = frozenset({"/v1/embeddings"})
    prefix = "/v1"

    def __init__(self, groups: Iterable[Iterable[str]] = (), **options: Any) -> None:
        super().__init__(**options)
        self._alike = {word: min(group) for group in map(set, groups) for word in group}
        self.model = MODEL
        self.buckets = BUCKETS
        self.leaves_out = 0
        """So many vectors are missing in each answer."""
        self.value: Any = None
        """Stands in place of every number, where set."""

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/v1/embeddings", self._embeddings)

    async def _embeddings(self, request: web.Request) -> web.StreamResponse:
        if not self.may(request):
            return web.json_response({"error": {"message": "Unauthorized"}}, status=401)
        texts: Sequence[str] = (await request.json())["input"]

        def answer(act: Act) -> web.Response:
            rows = [
                {"object": "embedding", "index": place, "embedding": self._vector(text)}
                for place, text in enumerate(texts)
            ]
            # Not in their order: only `index` says whose a vector is.
            data = rows[::-1][self.leaves_out :]
            usage = {"prompt_tokens": 1, "total_tokens": 1}
            return web.json_response(
                {"object": "list", "model": self.model, "data": data, "usage": usage}
            )

        return await self.generate(request, answer)

    def _vector(self, text: str) -> list[Any]:
        counts = [0.0] * self.buckets
        for word in re.findall(r"[a-z]+", text.lower()):
            counts[crc32(self._alike.get(word, word).encode()) % self.buckets] += 1.0
        counts[0] += 0.1  # no text is without direction
        return counts if self.value is None else [self.value] * self.buckets
