"""How messages become the one text that text-generation-inference's `/generate` takes.

Comes in: messages. Goes out: the prompt and its length in tokens. Promise: the server's own chat
template is used where it has one (`/chat_tokenize`); which way works is remembered; a token that
the server puts first by itself is not put twice.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import chain
from typing import Any

from agents.llm.connection import Connection
from agents.llm.errors import NotAllowedError, RejectedError, TooLongError
from agents.llm.protocol import Message

_HEADING = re.compile(r"^(?=### )", re.MULTILINE)


class _Way(Enum):
    TEMPLATE = auto()
    TEMPLATE_WITHOUT_SYSTEM = auto()
    """Some templates know no system turn: what it says goes before the first user turn."""
    PLAIN = auto()


@dataclass(frozen=True, slots=True)
class Prompt:
    """What `/generate` gets; `tokens` counts all that the model reads."""

    text: str
    tokens: int


class ChatTemplate:
    """Renders messages for one server, in the way that it was found to understand."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ways = list(_Way)
        self._first_token: str | None = None
        """What the server puts first by itself; None until it was found out."""

    async def render(self, messages: Sequence[Message]) -> Prompt:
        """Return the prompt of `messages`; raises ModelError."""
        while len(self._ways) > 1:
            way = self._ways[0]
            try:
                return await self._by_server(messages, way)
            except (NotAllowedError, TooLongError):
                raise
            except RejectedError:
                if way in self._ways:  # another call may have found out meanwhile
                    self._ways.remove(way)
        text = render_plainly(messages)
        return Prompt(text, await self.count(text))

    async def count(self, text: str) -> int:
        """Return how many tokens `text` is, what the server puts first included."""
        return len(await self._tokens(text))

    async def _by_server(self, messages: Sequence[Message], way: _Way) -> Prompt:
        turns = messages if way is _Way.TEMPLATE else merge_system(messages)
        body = {"messages": [{"role": turn.role, "content": turn.content} for turn in turns]}
        found = await self._connection.post("/chat_tokenize", body)
        text, tokens = found["templated_text"], found["tokenize_response"]
        if self._first_token is None:
            self._first_token = self._doubled(tokens, await self._tokens(text))
        return Prompt(text.removeprefix(self._first_token), len(tokens))

    async def _tokens(self, text: str) -> list[dict[str, Any]]:
        found = await self._connection.post("/tokenize", {"inputs": text})
        assert isinstance(found, list)
        return found

    @staticmethod
    def _doubled(templated: list[dict[str, Any]], generated: list[dict[str, Any]]) -> str:
        """Return the text of the first token if `/generate` would read it twice, else nothing.

        Templates write the token that begins a text, and `/generate` adds it again.
        """
        first = [token["id"] for token in generated[:2]]
        if templated and first == [templated[0]["id"]] * 2:
            return str(templated[0]["text"])
        return ""


def merge_system(messages: Sequence[Message]) -> list[Message]:
    """Return `messages` without system turns: what they say goes before the first user turn."""
    system = [turn.content for turn in messages if turn.role == "system"]
    turns = [turn for turn in messages if turn.role != "system"]
    for position, turn in enumerate(turns):
        if turn.role == "user":
            turns[position] = Message("user", "\n\n".join(chain(system, (turn.content,))))
            return turns
    return [Message("user", "\n\n".join(system)), *turns]


def render_plainly(messages: Sequence[Message]) -> str:
    """Return `messages` under headings, for models without a chat template.

    A line of a message that looks like a heading is set off by a space, so that no log line can
    open a turn of its own.
    """
    turns = [f"### {turn.role.title()}\n{_HEADING.sub(' ', turn.content)}" for turn in messages]
    return "\n\n".join([*turns, "### Assistant\n"])
