"""Asks an embedding server how near an incident is to each runbook, where words do not tell.

Comes in: a query, the library. Goes out: a closeness by runbook id; empty where words suffice or
the server did not answer. Promise: never an error and never longer than the limit; runbooks are
read to the server once, beside the plans; after a failure it is left alone for a while, and an
outage is said once.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from agents.llm.breaker import Breaker, Ticket
from agents.llm.errors import ModelError, ServerFaultError
from agents.logic.plans.closeness import Vectors, closeness
from agents.logic.plans.retrieval import Query, RunbookLibrary
from agents.logic.plans.runbooks import Runbook
from streams import metrics
from streams.clock import monotonic_ms
from streams.judgesettings import JudgeSettings

if TYPE_CHECKING:
    from agents.llm.embeddings import EmbeddingServer

log = logging.getLogger(__name__)

LEFT_ALONE_MS = 30_000
"""A server that failed once is not asked for so long: each plan that asks may wait the limit."""
AT_ONCE = 16
"""Texts in one request: servers take at least so many."""
READING_SECONDS = 60.0
"""For one request of runbooks: no plan waits for it longer than its own limit."""
RUNBOOK_CHARS, LINE_CHARS, MOST_LINES = 1_200, 300, 8
"""Small models read some 500 tokens; servers refuse more, or cut it without a word."""
LEAST_SECONDS = 0.01
ANSWERED, LEFT_ALONE, NOT_YET = "answered", "left-alone", "not-yet"


@dataclass(frozen=True, slots=True)
class _Read:
    """The runbooks as one model sees them."""

    names: tuple[str, ...]
    vectors: Vectors
    model: str


class Nearness:
    """One embedding server, and what it made of the runbooks; one per process."""

    def __init__(
        self,
        server: "EmbeddingServer",
        limit_seconds: float,
        *,
        now_ms: Callable[[], int] = monotonic_ms,
    ) -> None:
        """Nothing is asked before the first incident that no runbook fits by words."""
        self._server = server
        self._limit_seconds = limit_seconds
        self._now_ms = now_ms
        self._breaker = Breaker(1, LEFT_ALONE_MS)
        self._is_out = False
        self._reading: asyncio.Task[_Read] | None = None

    async def closeness(self, query: Query, library: RunbookLibrary) -> Mapping[str, float]:
        """Return how near the incident is to each runbook, or nothing; waits at most the limit."""
        if not library.specific or library.fitting(query):
            return {}
        ticket = self._breaker.admit(self._now_ms())
        if ticket is None:
            return _nothing(LEFT_ALONE)
        until = monotonic() + self._limit_seconds
        try:
            read = await self._runbooks(library, until)
            if read is None:
                return _nothing(NOT_YET)
            found = await self._ask(query, read, until - monotonic())
        except ModelError as error:
            self._failed(ticket, error)
            return _nothing(error.reason)
        finally:
            self._breaker.withdrawn(ticket)
        self._answered()
        return found

    async def close(self) -> None:
        """Stop reading runbooks, and let go of connections."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._server.close()

    async def _runbooks(self, library: RunbookLibrary, until: float) -> _Read | None:
        """Return the runbooks as the server sees them; None while it has not seen them all.

        Only who begins it waits: all others would wait for the same.
        """
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(library))
            await asyncio.wait([self._reading], timeout=until - monotonic())
        if not self._reading.done():
            return None
        try:
            return self._reading.result()
        except ModelError:
            self._reading = None
            raise

    async def _read(self, library: RunbookLibrary) -> _Read:
        texts = [_text(runbook) for runbook in library.specific]
        parts = [
            await self._server.embed(texts[place : place + AT_ONCE], READING_SECONDS)
            for place in range(0, len(texts), AT_ONCE)
        ]
        kinds = {(part.model, part.vectors.shape[1]) for part in parts}
        if len(kinds) > 1:
            raise ServerFaultError(f"{self._server.origin} answered by several models")
        vectors = np.concatenate([part.vectors for part in parts])
        return _Read(tuple(book.id for book in library.specific), vectors, parts[0].model)

    async def _ask(self, query: Query, read: _Read, seconds: float) -> dict[str, float]:
        lines = query.lines[:MOST_LINES] or ((query.text, 1),)
        texts = [text[:LINE_CHARS] or "-" for text, _ in lines]
        asked = await self._server.embed(texts, max(seconds, LEAST_SECONDS))
        if (asked.model, asked.vectors.shape[1]) != (read.model, read.vectors.shape[1]):
            self._reading = None
            raise ServerFaultError(f"{self._server.origin} has another model than before")
        counts = [count for _, count in lines]
        return closeness(asked.vectors, counts, read.names, read.vectors)

    def _failed(self, ticket: Ticket, error: ModelError) -> None:
        self._breaker.failed(ticket, self._now_ms())
        if not self._is_out:
            log.warning("runbooks are found by words alone for now: %s", error)
        self._is_out = True

    def _answered(self) -> None:
        metrics.EMBEDDINGS_ASKED.labels(ANSWERED).inc()
        self._breaker.answered(self._now_ms())
        if self._is_out:
            log.warning("runbooks are found by meaning again: %s answers", self._server.origin)
        self._is_out = False


def make_nearness(settings: JudgeSettings) -> Nearness | None:
    """Make it; None, and no import of a client, where no server is configured."""
    if settings.embeddings_url is None:
        return None
    from agents.llm.embeddings import EmbeddingServer

    key = settings.embeddings_api_key
    server = EmbeddingServer(
        settings.embeddings_url,
        settings.embeddings_model,
        key.get_secret_value() if key is not None else None,
    )
    for outcome in (ANSWERED, LEFT_ALONE, NOT_YET):
        # From 0 on, so that no rate misses the first.
        metrics.EMBEDDINGS_ASKED.labels(outcome)
    return Nearness(server, settings.embeddings_timeout_seconds)


def _nothing(outcome: str) -> dict[str, float]:
    metrics.EMBEDDINGS_ASKED.labels(outcome).inc()
    return {}


def _text(runbook: Runbook) -> str:
    return f"{runbook.title}: {'; '.join(runbook.symptoms)}"[:RUNBOOK_CHARS]
