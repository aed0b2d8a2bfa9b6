"""Turns: never more at once than the limit, the longest backlog first, nobody for ever."""

import asyncio
from collections import Counter

import pytest

from agents.llm.limits import HOUR_MS, HourlyCap, Turns

PATIENCE = 60.0


class Work:
    """Takes turns by name and gives them back when told."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.order: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def begin(self, name: str, backlog: int = 0, patience: float = PATIENCE) -> None:
        self.ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._work(name, backlog, patience))
        await settle()

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await settle()

    async def _work(self, name: str, backlog: int, patience: float) -> None:
        async with self.turns.turn(backlog, patience):
            self.order.append(name)
            await self.ends[name].wait()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_never_more_at_once_than_the_limit():
    work = Work(Turns(2))
    for name in "abc":
        await work.begin(name)
    assert work.order == ["a", "b"]
    await work.end("b")
    assert work.order == ["a", "b", "c"]
    assert work.turns.waiting == 0


async def test_who_has_most_behind_it_goes_first_and_equals_in_their_order():
    work = Work(Turns(1))
    await work.begin("first")
    for name, backlog in (("short", 1), ("long", 3), ("long too", 3), ("middle", 2)):
        await work.begin(name, backlog)
    for name in ("first", "long", "long too", "middle", "short"):
        await work.end(name)
    assert work.order == ["first", "long", "long too", "middle", "short"]


async def test_who_waits_for_rounds_is_not_overtaken_for_ever():
    work = Work(Turns(1))
    await work.begin("0")
    await work.begin("patient", backlog=0)
    for number in range(1, 40):
        await work.begin(str(number), backlog=5)
        await work.end(work.order[-1])
        if "patient" in work.order:
            break
    assert work.order.index("patient") <= 5 * 2 + 3


async def test_who_gives_up_frees_its_place_and_takes_no_turn():
    work = Work(Turns(1))
    await work.begin("a")
    await work.begin("hasty", backlog=9, patience=0.001)
    await work.begin("b")
    with pytest.raises(TimeoutError):
        await work.tasks["hasty"]
    await work.end("a")
    await work.end("b")
    assert work.order == ["a", "b"]
    await work.begin("c")
    assert work.order[-1] == "c"


async def test_a_waiting_one_that_is_cancelled_leaves_nothing_behind():
    work = Work(Turns(1))
    await work.begin("a")
    await work.begin("b")
    work.tasks["b"].cancel()
    await settle()
    await work.end("a")
    await work.begin("c")
    assert work.order == ["a", "c"]


async def test_all_go_on_when_there_is_nothing_to_wait_for():
    work = Work(Turns(1))
    for name in "abcd":
        await work.begin(name)
    work.turns.release_all()
    await settle()
    assert sorted(work.order) == ["a", "b", "c", "d"]
    for name in "abcd":
        await work.end(name)
    await work.begin("e")
    await work.begin("f")
    assert "e" in work.order
    assert "f" not in work.order, "the limit holds again"


async def test_a_busy_server_gets_less_at_once_and_then_more_again():
    turns = Turns(4)
    work = Work(turns)
    for name in "abcd":
        await work.begin(name)
    turns.less()
    assert turns.at_once == 3
    for _ in range(4):
        turns.less()
    assert turns.at_once == 1, "one is always tried"
    for _ in range(40):
        turns.more()
    assert turns.at_once == 4, "never more than the server takes"


async def test_the_servers_word_lets_more_go_on():
    work = Work(Turns(1))
    for name in "abc":
        await work.begin(name)
    work.turns.set_most(3)
    await settle()
    assert work.order == ["a", "b", "c"]


async def test_with_the_longest_first_the_tail_is_short():
    """Partitions of unequal length on a server of four: in order of arrival it takes 16 rounds."""
    lengths = [12, 9, 5, 4, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1]
    assert sum(lengths) == 48
    turns, rounds, running = Turns(4), 0, Counter[int]()
    left = dict(enumerate(lengths))
    release: list[asyncio.Event] = []

    async def partition(number: int) -> None:
        while left[number]:
            async with turns.turn(left[number], PATIENCE):
                running[number] += 1
                release.append(event := asyncio.Event())
                await event.wait()
            left[number] -= 1

    tasks = [asyncio.create_task(partition(number)) for number in left]
    while any(left.values()):
        for _ in range(5):
            await settle()
        rounds += 1
        ending, release[:] = list(release), []
        for event in ending:
            event.set()
        await settle()
    await asyncio.gather(*tasks)
    assert sum(running.values()) == 48
    assert rounds == 48 / 4


async def test_a_turn_is_kept_a_moment_for_the_longest_that_will_be_back():
    work = Work(Turns(1))
    await work.begin("long", backlog=5)
    await work.begin("short", backlog=1)
    await work.end("long")
    assert work.order == ["long"], "short waits for what comes next"
    await work.begin("long again", backlog=4)
    assert work.order == ["long", "long again"]


async def test_a_kept_turn_goes_to_the_next_when_nobody_comes_back(monkeypatch):
    monkeypatch.setattr("agents.llm.limits.KEEP_SECONDS", 0.0)
    work = Work(Turns(1))
    await work.begin("long", backlog=5)
    await work.begin("short", backlog=1)
    await work.end("long")
    assert work.order == ["long", "short"]
    await work.end("short")
    await work.begin("next")
    assert work.order[-1] == "next", "no turn was lost"


def test_a_service_has_so_many_calls_in_any_hour():
    cap = HourlyCap(2)
    assert cap.take("web", 0)
    assert cap.take("web", 1_000)
    assert not cap.take("web", HOUR_MS - 1)
    assert cap.take("other", HOUR_MS - 1)
    assert cap.take("web", HOUR_MS), "the first call is an hour old"
    assert not cap.take("web", HOUR_MS + 999)
    assert cap.take("web", HOUR_MS + 1_000)


def test_the_cap_forgets_the_service_not_heard_of_for_longest():
    cap = HourlyCap(1, max_services=2)
    assert cap.take("a", 0)
    assert cap.take("b", 0)
    assert not cap.take("a", 1)
    assert cap.take("c", 1)
    assert not cap.take("a", 2), "it was heard of after b"
    assert len(cap._made) == 2
