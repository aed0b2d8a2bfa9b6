"""A server's embeddings: text-embeddings-inference, vLLM, llama.cpp, any with OpenAI's route.

Comes in: texts. Goes out: a vector of length 1 for each, in their order, and the model's name.
Promise: every failure is a ModelError; a wrong number of vectors, or vectors of several lengths or
without direction, are failures too; nothing is tried again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import httpx2
from openai import AsyncOpenAI

from agents.llm.connection import Connection
from agents.llm.errors import ServerFaultError
from agents.logic.plans.closeness import Vectors, unit

SETTINGS = "OPSPILOT_JUDGE__EMBEDDINGS_"


@dataclass(frozen=True, slots=True)
class Embedded:
    """One vector for each text that was given, and who made them."""

    vectors: Vectors
    model: str


class EmbeddingServer:
    """One OpenAI-compatible embedding server."""

    def __init__(self, url: str, model: str, api_key: str | None = None) -> None:
        """`url` ends in /v1; nothing is asked yet."""
        self._model = model
        self._connection = Connection(url, api_key, settings=SETTINGS)
        self._client = AsyncOpenAI(
            base_url=url,
            # The connection signs; without a key here the library asks the environment.
            api_key="none",
            max_retries=0,
            timeout=None,
            # It takes a client of either generation of httpx; its types name only the newer.
            http_client=cast(httpx2.AsyncClient, self._connection.client),
        )

    @property
    def origin(self) -> str:
        """Where the server is, without path or key."""
        return self._connection.origin

    async def embed(self, texts: Sequence[str], seconds: float) -> Embedded:
        """Ask once for all; raises ModelError."""
        async with self._connection.within(seconds):
            # By default the library asks for base64, which not all servers write.
            answer = await self._client.embeddings.create(
                model=self._model, input=list(texts), encoding_format="float"
            )
            return Embedded(self._read(answer, len(texts)), str(answer.model or "")[:200])

    async def close(self) -> None:
        """Let go of connections."""
        await self._connection.close()

    def _read(self, answer: Any, wanted: int) -> Vectors:
        """Return the vectors in the order of the texts; the library has checked no field."""
        by_place = {row.index: row.embedding for row in answer.data}
        if len(answer.data) != wanted or set(by_place) != set(range(wanted)):
            raise ServerFaultError(
                f"{self.origin} gave {len(answer.data)} vectors for {wanted} texts"
            )
        try:
            return unit([by_place[place] for place in range(wanted)])
        except (TypeError, ValueError) as error:
            raise ServerFaultError(f"{self.origin} gave no usable vectors: {error}") from None
