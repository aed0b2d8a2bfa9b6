"""A model server that an evaluation listens to: what it said itself, before the cross-check.

Comes in: a Backend. Goes out: the same answers, and the category that each incident's first answer
names. Promise: nothing is changed on the way; what is no category of ours is not noted.
"""

from agents.llm.protocol import Backend, Reply, Request, ServerInfo
from schemas.incident import Incident
from schemas.vocabulary import Category

_KNOWN = {category.value.lower(): category for category in Category}


class ListenedTo:
    """A backend, and what it said."""

    def __init__(self, backend: Backend, said: dict[str, Category]) -> None:
        """Note in `said` the category by the incident's id."""
        self._backend = backend
        self._said = said
        self.name = backend.name

    async def complete(self, request: Request) -> Reply:
        """Ask once and take note; raises ModelError."""
        reply = await self._backend.complete(request)
        named = reply.content.get("category")
        category = _KNOWN.get(named.strip().lower()) if isinstance(named, str) else None
        if isinstance(request.subject, Incident) and category is not None:
            self._said.setdefault(request.subject.id, category)
        return reply

    async def describe(self) -> ServerInfo:
        """Ask the server what it is; raises ModelError."""
        return await self._backend.describe()

    async def count_tokens(self, text: str) -> int:
        """Count by the model's own tokenizer; raises ModelError."""
        return await self._backend.count_tokens(text)

    async def close(self) -> None:
        """Let go of connections."""
        await self._backend.close()
