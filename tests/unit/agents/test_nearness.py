"""When an embedding server is asked, and what becomes of the plan when it fails."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from test_retrieval import HOSTS

from agents.llm.embeddings import Embedded, EmbeddingServer
from agents.llm.errors import UnreachableError
from agents.logic.plans.closeness import unit
from agents.logic.plans.retrieval import Query
from agents.nearness import LEFT_ALONE_MS, LINE_CHARS, MOST_LINES, Nearness, make_nearness
from schemas.vocabulary import Category
from streams import metrics
from streams.judgesettings import JudgeSettings

ODD = Query("blower stands still", Category.HARDWARE)
SHOWN = Query("no space left on device", Category.HARDWARE)


@dataclass
class Server:
    """Gives every text the vector of its length, and fails while `error` is set."""

    error: Exception | None = None
    model: str = "m"
    columns: int = 3
    wait: Callable[[], Any] | None = None
    asked: list[list[str]] = field(default_factory=list)
    origin: str = "http://embeddings"

    async def embed(self, texts: Sequence[str], seconds: float) -> Embedded:
        self.asked.append(list(texts))
        if self.wait is not None:
            await self.wait()
        if self.error is not None:
            raise self.error
        rows = [[len(text) % (place + 2) + 0.1 for place in range(self.columns)] for text in texts]
        return Embedded(unit(rows), self.model)

    async def close(self) -> None:
        pass


class Clock:
    ms = 0

    def __call__(self) -> int:
        return self.ms


def nearness(server: Server, clock: Clock | None = None, limit: float = 5.0) -> Nearness:
    return Nearness(cast(EmbeddingServer, server), limit, now_ms=clock or Clock())


def counted(outcome: str) -> float:
    return metrics.EMBEDDINGS_ASKED.labels(outcome)._value.get()


def test_without_a_server_there_is_nothing_to_ask():
    assert make_nearness(JudgeSettings()) is None


async def test_where_words_tell_nobody_is_asked():
    server = Server()
    assert await nearness(server).closeness(SHOWN, HOSTS) == {}
    assert server.asked == []


async def test_runbooks_are_read_once_and_each_line_by_itself():
    server = Server()
    asking = nearness(server)
    found = await asking.closeness(ODD, HOSTS)
    assert set(found) == {"disk-full", "fan-failed", "names"}
    lines = (("x" * 900, 4), *((f"line {n}", 1) for n in range(20)))
    await asking.closeness(Query("blower", Category.HARDWARE, lines=lines), HOSTS)
    runbooks, first, second = server.asked
    assert runbooks[1] == "About fan-failed: Fan failure detected"
    assert first == [ODD.text]
    assert (len(second), len(second[0])) == (MOST_LINES, LINE_CHARS)


async def test_a_failing_server_is_left_alone_and_said_once(caplog: pytest.LogCaptureFixture):
    server, clock = Server(error=UnreachableError("refused")), Clock()
    asking = nearness(server, clock)
    before, alone = counted("unreachable"), counted("left-alone")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert await asking.closeness(ODD, HOSTS) == {}
        clock.ms += LEFT_ALONE_MS
        assert await asking.closeness(ODD, HOSTS) == {}
        assert len(server.asked) == 2, "once at first, once to see whether it is back"
        assert len(caplog.records) == 1
        server.error = None
        clock.ms += LEFT_ALONE_MS
        assert await asking.closeness(ODD, HOSTS) != {}
    assert counted("unreachable") - before == 2
    assert counted("left-alone") - alone == 2
    assert "by meaning again" in caplog.text


async def test_no_plan_waits_for_the_runbooks_beyond_its_limit():
    gate = asyncio.Event()
    server = Server(wait=gate.wait)
    asking = nearness(server, limit=0.01)
    before = counted("not-yet")
    assert await asking.closeness(ODD, HOSTS) == {}
    assert await asking.closeness(ODD, HOSTS) == {}
    assert counted("not-yet") - before == 2
    gate.set()
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))  # type: ignore[arg-type]
    assert await asking.closeness(ODD, HOSTS) != {}
    assert len(server.asked) == 2, "what was begun was not begun again"


@pytest.mark.parametrize("change", [{"columns": 4}, {"model": "another"}])
async def test_a_server_that_changed_its_model_reads_the_runbooks_anew(change: dict[str, Any]):
    server, clock = Server(), Clock()
    asking = nearness(server, clock)
    assert await asking.closeness(ODD, HOSTS) != {}
    for name, value in change.items():
        setattr(server, name, value)
    assert await asking.closeness(ODD, HOSTS) == {}
    clock.ms += LEFT_ALONE_MS
    assert await asking.closeness(ODD, HOSTS) != {}


async def test_what_is_still_read_when_it_ends_is_let_go():
    server = Server(wait=asyncio.Event().wait)
    asking = nearness(server, limit=0.01)
    await asking.closeness(ODD, HOSTS)
    await asking.close()
