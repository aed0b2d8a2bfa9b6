"""Which adapter judges: by the models topic, and only while its probe holds."""

import asyncio
from collections.abc import Mapping

import pytest

from agents.llm.errors import RejectedError, UnreachableError
from agents.llm.protocol import Reply, Request, ServerInfo
from agents.llm.reasons import FallbackReason
from agents.releases import PROBE_AGAIN_MS, PROBE_RETRY_MS, Choice, Releases
from agents.routing import variant_of
from schemas.learning import ModelRelease, ModelRole
from streams import metrics
from streams.errors import BrokerError

CHAMPION, CHALLENGER = ModelRole.CHAMPION, ModelRole.CHALLENGER
PATIENCE = 5.0


class Topic:
    """The models topic as it stands."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.version = 0
        self.broken = False

    async def read(self) -> Mapping[bytes, bytes]:
        if self.broken:
            raise BrokerError("the models topic cannot be read")
        return self.values

    async def close(self) -> None:
        pass

    def release(self, role: ModelRole, adapter: str | None, **more: object) -> None:
        record = ModelRelease(
            role=role, backend="tgi", model="m", adapter=adapter, released_ms=self.version
        ).model_copy(update=more)
        self.values[role.value.encode()] = record.to_bytes()
        self.version += 1


class Server:
    """Has some adapters; another is answered by the base model, or refused."""

    name = "tgi"

    def __init__(self, *adapters: str) -> None:
        self.adapters = set(adapters)
        self.error: Exception | None = None
        self.hangs = False
        self.asked = 0

    async def complete(self, request: Request) -> Reply:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        who = request.adapter if request.adapter in self.adapters else "base"
        text = f"{who} {request.messages[-1].content}"
        return Reply({}, text, "m", request.adapter, 1, 1, 1.0)

    async def describe(self) -> ServerInfo:
        raise AssertionError

    async def count_tokens(self, text: str) -> int:
        raise AssertionError

    async def close(self) -> None:
        pass


class Case:
    """Releases with everything around them."""

    def __init__(self, *adapters: str, default: str | None = None) -> None:
        self.topic, self.server, self.now = Topic(), Server(*adapters), 0
        self.releases = Releases(self.topic, self.server, adapter=default, now_ms=lambda: self.now)

    async def choose(self, incident: str = "i", patience: float = PATIENCE) -> Choice:
        return await self.releases.choose(incident, patience)


def gauge(role: ModelRole) -> float:
    return metrics.ADAPTER_ANSWERS.labels(role.value)._value.get()


async def test_where_nothing_was_released_the_base_model_judges():
    case = Case()
    assert await case.choose() == Choice("champion")
    assert case.server.asked == 0


async def test_the_adapter_of_the_settings_judges_until_another_is_released():
    case = Case("own", "new", default="own")
    assert await case.choose() == Choice("champion", "own")
    case.topic.release(CHAMPION, "new")
    assert (await case.choose()).adapter == "new"
    silent = Case(default="own")
    assert (await silent.choose()).reason is FallbackReason.ADAPTER_SILENT


async def test_an_adapter_that_answers_is_used():
    case = Case("good")
    case.topic.release(CHAMPION, "good")
    assert await case.choose() == Choice("champion", "good")
    assert gauge(CHAMPION) == 1
    asked = case.server.asked
    await case.choose()
    assert case.server.asked == asked, "probed once"


async def test_an_adapter_that_silently_falls_back_is_not_used_and_said():
    case = Case()
    case.topic.release(CHAMPION, "lost")
    assert await case.choose() == Choice("champion", None, FallbackReason.ADAPTER_SILENT)
    assert gauge(CHAMPION) == 0


async def test_an_adapter_that_the_server_refuses_is_not_used():
    case = Case()
    case.server.error = RejectedError("no such adapter")
    case.topic.release(CHAMPION, "lost")
    assert (await case.choose()).reason is FallbackReason.ADAPTER_SILENT


async def test_while_nothing_is_proven_the_base_model_answers_and_it_is_tried_again():
    case = Case("good")
    case.server.error = UnreachableError("refused")
    case.topic.release(CHAMPION, "good")
    assert (await case.choose()).reason is FallbackReason.ADAPTER_UNPROVEN
    case.server.error = None
    assert (await case.choose()).reason is FallbackReason.ADAPTER_UNPROVEN, "not at once"
    case.now += PROBE_RETRY_MS
    assert (await case.choose()).adapter == "good"


async def test_a_probe_that_hangs_does_not_hold_up_an_incident():
    case = Case("good")
    case.server.hangs = True
    case.topic.release(CHAMPION, "good")
    assert (await case.choose(patience=0.0)).reason is FallbackReason.ADAPTER_UNPROVEN
    assert (await case.choose(patience=0.001)).reason is FallbackReason.ADAPTER_UNPROVEN
    await case.releases.close()


async def test_an_adapter_that_is_lost_later_is_found_out_and_comes_back():
    case = Case("good")
    case.topic.release(CHAMPION, "good")
    assert (await case.choose()).adapter == "good"
    case.server.adapters.clear()
    case.now += PROBE_AGAIN_MS
    await settle(case)
    assert (await case.choose()).reason is FallbackReason.ADAPTER_SILENT
    assert gauge(CHAMPION) == 0
    case.server.adapters.add("good")
    case.now += PROBE_RETRY_MS
    await settle(case)
    assert (await case.choose()).adapter == "good"


async def test_a_refused_question_has_the_adapter_probed_anew():
    case = Case("good")
    case.topic.release(CHAMPION, "good")
    choice = await case.choose()
    case.server.adapters.clear()
    case.releases.doubt(choice)
    await settle(case)
    assert (await case.choose()).reason is FallbackReason.ADAPTER_SILENT


async def test_a_new_release_is_probed_and_used_without_a_restart():
    case = Case("one", "two")
    case.topic.release(CHAMPION, "one")
    assert (await case.choose()).adapter == "one"
    case.topic.release(CHAMPION, "two")
    assert (await case.choose()).adapter == "two"
    case.topic.release(CHAMPION, None)
    assert await case.choose() == Choice("champion")


async def test_only_what_serves_now_has_a_mark_of_its_release():
    topic, server = Topic(), Server("one", "two")
    releases = Releases(topic, server)
    for adapter, released_ms in (("one", 5_000), ("two", 9_000)):
        topic.release(CHAMPION, adapter, released_ms=released_ms)
        await releases.refresh()
        (family,) = metrics.MODEL_RELEASED.collect()
        (sample,) = family.samples
        assert sample.labels == {"role": "champion", "model": "m", "adapter": adapter}
        assert sample.value == released_ms / 1000
    await releases.close()


async def test_the_challenger_has_its_share_and_its_own_probe():
    case = Case("old")
    case.topic.release(CHAMPION, "old")
    case.topic.release(CHALLENGER, "new", share=0.5)
    for number in range(20):
        choice = await case.choose(f"i{number}")
        assert choice.variant == variant_of(f"i{number}", 0.5)
        if choice.variant == "champion":
            assert choice.adapter == "old"
        else:
            assert choice.reason is FallbackReason.ADAPTER_SILENT


async def test_a_proven_challenger_that_becomes_champion_is_not_proven_again():
    case = Case("new")
    case.topic.release(CHALLENGER, "new", share=1.0)
    assert (await case.choose()).adapter == "new"
    asked = case.server.asked
    case.topic.values.clear()
    case.topic.release(CHAMPION, "new")
    assert await case.choose(patience=0.0) == Choice("champion", "new")
    assert case.server.asked == asked
    assert gauge(CHAMPION) == 1


async def test_a_release_may_be_the_baseline_itself():
    case = Case()
    case.topic.release(CHAMPION, None, backend="baseline")
    assert await case.choose() == Choice("champion", by_baseline=True)


async def test_what_is_no_release_is_passed_over():
    case = Case("good")
    case.topic.values[b"junk"] = b"{}"
    case.topic.release(CHAMPION, "good")
    assert (await case.choose()).adapter == "good"


async def test_nobody_is_judged_before_the_topic_was_read():
    case = Case()
    case.topic.broken = True
    with pytest.raises(BrokerError):
        await case.choose()


async def settle(case: Case) -> None:
    await case.releases.refresh()
    for _ in range(50):
        await asyncio.sleep(0)
