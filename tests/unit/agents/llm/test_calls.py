"""The call path: what is tried again, what is repaired, what is counted, how long it may take."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agents.llm.calls import Caller
from agents.llm.errors import (
    BadAnswerError,
    ModelError,
    NotAllowedError,
    OverloadedError,
    RejectedError,
    ServerFaultError,
    TimedOutError,
    TooLongError,
    UnreachableError,
)
from agents.llm.fitting import CountTokens
from agents.llm.protocol import Message, Reply, Request, ServerInfo
from agents.llm.question import Outcome, Question
from agents.llm.reasons import FallbackReason
from streams import metrics
from streams.modelsettings import BackendName, ModelSettings
from streams.settings import Settings
from streams.tracing.otel import SpanTracing
from streams.tracing.span import at_work

GOOD = {"category": "Network"}
Act = ModelError | dict[str, str] | Callable[[Request], Awaitable[Reply]]


def reply(content: dict[str, str], adapter: str | None = None) -> Reply:
    return Reply(content, str(content), "m-1", adapter, 100, 20, 1.0)


@dataclass
class Time:
    """A clock that only moves when something waits."""

    ms: int = 0
    waits: list[float] = field(default_factory=list)

    def now(self) -> int:
        return self.ms

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.ms += round(seconds * 1000)


@dataclass
class Server:
    """Does what the script says, then answers well."""

    time: Time
    script: list[Act] = field(default_factory=list)
    info: ServerInfo | ModelError = field(default_factory=lambda: ServerInfo("m-1", 8, 2_000))
    name: str = "fake"
    asked: list[Request] = field(default_factory=list)
    described: int = 0
    call_ms: int = 0

    async def complete(self, request: Request) -> Reply:
        self.asked.append(request)
        self.time.ms += self.call_ms
        act = self.script.pop(0) if self.script else GOOD
        if isinstance(act, ModelError):
            raise act
        return reply(act) if isinstance(act, dict) else await act(request)

    async def describe(self) -> ServerInfo:
        self.described += 1
        if isinstance(self.info, ModelError):
            raise self.info
        return self.info

    async def count_tokens(self, text: str) -> int:
        return len(text) // 4

    async def close(self) -> None:
        pass


class Path:
    """A caller with all that a test wants to see of it."""

    def __init__(self, *script: Act, **settings: object) -> None:
        self.time = Time()
        self.server = Server(self.time, list(script))
        self.settings = ModelSettings.model_validate(
            {"backend": BackendName.TGI, "url": "http://tgi:80", **settings}
        )
        self.caller = Caller(
            self.server,
            self.settings,
            now_ms=self.time.now,
            chance=lambda: 0.5,
            sleep=self.time.sleep,
        )

    async def ask(self, service: str = "web", **options: float) -> Outcome[str]:
        return await self.caller.ask(question(), stage="classify", service=service, **options)  # type: ignore[arg-type]


def question() -> Question[str]:
    async def prepare(count_tokens: CountTokens) -> Request:
        return Request((Message("user", "what is it?"),), {}, 50, 0.0)

    def read(content: object, text: str) -> str:
        if content != GOOD:
            raise BadAnswerError("category is missing", text)
        return "Network"

    def repair(request: Request, error: BadAnswerError) -> Request:
        said = (Message("assistant", error.text), Message("user", str(error)))
        return Request((*request.messages, *said), {}, 50, 0.0)

    return Question(prepare, read, repair)


def counted(outcome: str) -> float:
    return metrics.LLM_CALLS.labels("fake", "classify", outcome)._value.get()


async def test_an_answer_says_who_answered_and_what_it_cost():
    path = Path()
    before = counted("answered")
    outcome = await path.ask()
    assert (outcome.value, outcome.reason, outcome.model) == ("Network", None, "m-1")
    assert (outcome.tokens, outcome.calls) == (120, 1)
    assert counted("answered") == before + 1
    assert metrics.LLM_IN_FLIGHT.labels("fake")._value.get() == 0


async def test_each_call_is_a_span_of_its_own_without_a_word_of_prompt_or_answer():
    kept = InMemorySpanExporter()
    tracing = SpanTracing(Settings(), "classify", SimpleSpanProcessor(kept))
    path = Path(ServerFaultError("no"), {"category": "secret-word"})
    with at_work(tracing.batch("incident")) as work:
        assert (await path.ask()).value == "Network"
    *calls, whole = kept.get_finished_spans()
    told = [dict(call.attributes or {}) for call in calls]
    assert [t["opspilot.outcome"] for t in told] == ["server-fault", "bad-answer", "answered"]
    assert {t["opspilot.backend"] for t in told} == {"fake"}
    assert [t.get("gen_ai.usage.input_tokens") for t in told] == [None, 100, 100]
    assert [t.get("gen_ai.usage.output_tokens") for t in told] == [None, 20, 20]
    assert [t.get("gen_ai.response.model") for t in told] == [None, "m-1", "m-1"]
    assert {call.parent.span_id for call in calls if call.parent} == {whole.context.span_id}
    assert work.traceparent is not None
    said = " ".join(span.to_json() for span in kept.get_finished_spans())
    assert "what is it?" not in said
    assert "secret-word" not in said


@pytest.mark.parametrize("error", [ServerFaultError("x"), UnreachableError("x")])
async def test_what_may_go_better_is_tried_again_with_growing_jittered_waits(error):
    path = Path(error, error)
    assert (await path.ask()).value == "Network"
    assert path.time.waits == [0.125, 0.25], "half of 0.25 s, half of 0.5 s: the chance is 0.5"
    assert len(path.server.asked) == 3


async def test_no_more_tries_than_the_settings_allow():
    path = Path(*[ServerFaultError("x")] * 9, retries=1)
    outcome = await path.ask()
    assert (outcome.value, outcome.reason) == (None, FallbackReason.SERVER_FAULT)
    assert len(path.server.asked) == outcome.calls == 2


@pytest.mark.parametrize(
    "error",
    [RejectedError("x"), NotAllowedError("x"), TooLongError("x"), TimedOutError("x")],
    ids=lambda error: error.reason,
)
async def test_what_will_not_go_better_is_not_tried_again(error):
    path = Path(error)
    outcome = await path.ask()
    assert outcome.reason == error.reason
    assert len(path.server.asked) == 1
    assert not path.time.waits


async def test_the_server_says_when_to_come_back():
    path = Path(OverloadedError("x", retry_after_seconds=7.0))
    assert (await path.ask()).value == "Network"
    assert path.time.waits == [7.25]


async def test_a_server_that_wants_more_time_than_there_is_is_not_waited_for():
    path = Path(OverloadedError("x", retry_after_seconds=60.0), call_timeout_seconds=30.0)
    outcome = await path.ask()
    assert outcome.reason is FallbackReason.OVERLOADED
    assert not path.time.waits


async def test_a_dead_server_costs_a_moment_whatever_the_number_of_retries():
    path = Path(*[UnreachableError("refused")] * 99, retries=50, breaker_failures=100)
    outcome = await path.ask()
    assert outcome.reason is FallbackReason.UNREACHABLE
    assert sum(path.time.waits) < 2.0


async def test_an_answer_that_cannot_be_used_is_repaired_once():
    path = Path({"wrong": "yes"})
    outcome = await path.ask()
    assert (outcome.value, outcome.calls, outcome.tokens) == ("Network", 2, 240)
    last = path.server.asked[-1].messages
    assert [message.role for message in last] == ["user", "assistant", "user"]
    assert last[-1].content == "category is missing"


async def test_a_cut_answer_is_repaired_and_a_second_bad_one_is_the_last():
    path = Path(BadAnswerError("cut", '{"cat'), {"wrong": "again"}, GOOD)
    before = counted("bad-answer")
    outcome = await path.ask()
    assert outcome.reason is FallbackReason.BAD_ANSWER
    assert len(path.server.asked) == 2
    assert counted("bad-answer") == before + 2


async def test_tries_and_repair_share_one_budget_of_time():
    path = Path({"wrong": "yes"}, call_timeout_seconds=10.0)
    path.server.call_ms = 4_000
    await path.ask()
    assert [round(asked.timeout_seconds, 1) for asked in path.server.asked] == [10.0, 6.0]


async def test_what_was_spent_before_is_taken_off_the_budget():
    path = Path(call_timeout_seconds=10.0)
    await path.ask(spent_seconds=3.0)
    assert path.server.asked[0].timeout_seconds == 7.0


async def test_no_call_is_begun_that_would_only_be_cut_off():
    path = Path({"wrong": "yes"}, call_timeout_seconds=5.0)
    path.server.call_ms = 4_800
    outcome = await path.ask()
    assert outcome.reason is FallbackReason.TIMED_OUT
    assert len(path.server.asked) == 1


async def test_a_backend_that_breaks_its_promise_is_cut_off():
    async def never(request: Request) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError

    path = Path(never, call_timeout_seconds=0.51)
    outcome = await path.ask()
    assert outcome.reason is FallbackReason.TIMED_OUT


async def test_after_failures_in_a_row_the_server_is_left_alone_and_then_tried():
    path = Path(*[ServerFaultError("x")] * 3, retries=0, breaker_failures=3)
    for _ in range(3):
        await path.ask()
    assert metrics.LLM_BREAKER_OPEN.labels("fake")._value.get() == 1
    outcome = await path.ask()
    assert (outcome.reason, outcome.calls) == (FallbackReason.BREAKER_OPEN, 0)
    assert len(path.server.asked) == 3
    path.time.ms += 30_000
    assert (await path.ask()).value == "Network"
    assert metrics.LLM_BREAKER_OPEN.labels("fake")._value.get() == 0


async def test_a_question_ends_when_its_own_failures_opened_the_breaker():
    path = Path(*[ServerFaultError("x")] * 9, retries=8, breaker_failures=2)
    outcome = await path.ask()
    assert outcome.reason is FallbackReason.SERVER_FAULT
    assert len(path.server.asked) == 2


async def test_one_question_that_hung_opens_the_breaker():
    path = Path(TimedOutError("x"), breaker_failures=5)
    path.server.call_ms = 30_000
    await path.ask()
    assert path.caller.is_open


async def test_being_busy_is_no_failure_until_a_question_has_given_up():
    path = Path(*[OverloadedError("x")] * 4, retries=4, breaker_failures=2)
    assert (await path.ask()).value == "Network"
    assert not path.caller.is_open
    path.server.script = [OverloadedError("x")] * 10
    await path.ask()
    assert not path.caller.is_open, "one question that gave up"
    await path.ask()
    assert path.caller.is_open


async def test_answers_that_are_refusals_show_that_the_server_is_there():
    path = Path(*[RejectedError("x")] * 9, breaker_failures=2)
    for _ in range(9):
        await path.ask()
    assert not path.caller.is_open


async def test_a_wrong_key_opens_the_breaker_for_every_question_would_be_refused():
    path = Path(*[NotAllowedError("x")] * 9, breaker_failures=2)
    for _ in range(2):
        await path.ask()
    assert path.caller.is_open


async def test_a_service_has_its_calls_of_the_hour_and_repairs_count():
    path = Path({"wrong": "yes"}, calls_per_service_hour=2)
    assert (await path.ask("web")).calls == 2
    outcome = await path.ask("web")
    assert outcome.reason is FallbackReason.OVER_BUDGET
    assert len(path.server.asked) == 2
    assert (await path.ask("other")).value == "Network"


async def test_what_the_server_reports_sets_how_much_is_asked_at_once():
    path = Path()
    await path.ask()
    await path.ask()
    assert path.caller._turns.at_once == 8
    assert path.server.described == 1
    assert path.caller.max_prompt_tokens == 2_000


async def test_a_setting_goes_before_what_the_server_reports():
    path = Path(max_concurrent=3)
    await path.ask()
    assert path.caller._turns.at_once == 3


async def test_a_server_that_does_not_say_what_it_is_is_asked_all_the_same():
    path = Path()
    path.server.info = RejectedError("no such route")
    assert (await path.ask()).value == "Network"
    await path.ask()
    assert path.server.described == 1
    path.time.ms += 60_000
    await path.ask()
    assert path.server.described == 2


async def test_never_more_at_once_than_the_limit():
    most = now = 0
    gate = asyncio.Event()

    async def slow(request: Request) -> Reply:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await gate.wait()
        now -= 1
        return reply(GOOD)

    path = Path(*[slow] * 20, max_concurrent=5)
    tasks = [asyncio.create_task(path.ask(f"s{n}")) for n in range(20)]
    for _ in range(50):
        await asyncio.sleep(0)
    gate.set()
    outcomes = await asyncio.gather(*tasks)
    assert all(outcome.value == "Network" for outcome in outcomes)
    assert most == 5


async def test_those_who_wait_go_on_when_the_breaker_opens():
    gate = asyncio.Event()

    async def dies(request: Request) -> Reply:
        await gate.wait()
        raise ServerFaultError("x")

    path = Path(dies, max_concurrent=1, retries=0, breaker_failures=1)
    tasks = [asyncio.create_task(path.ask(f"s{n}")) for n in range(10)]
    for _ in range(50):
        await asyncio.sleep(0)
    gate.set()
    outcomes = await asyncio.gather(*tasks)
    reasons = [outcome.reason for outcome in outcomes]
    assert reasons == [FallbackReason.SERVER_FAULT] + [FallbackReason.BREAKER_OPEN] * 9
    assert len(path.server.asked) == 1


async def test_who_gets_no_turn_in_time_goes_without(monkeypatch):
    monkeypatch.setattr("agents.llm.calls.LONGEST_STAY_SECONDS", 0.0)
    monkeypatch.setattr("agents.llm.calls.LEAST_PATIENCE_SECONDS", 0.0)
    gate = asyncio.Event()

    async def slow(request: Request) -> Reply:
        await gate.wait()
        return reply(GOOD)

    path = Path(slow, max_concurrent=1)
    first = asyncio.create_task(path.ask())
    for _ in range(20):
        await asyncio.sleep(0)
    assert (await path.ask()).reason is FallbackReason.BUSY
    gate.set()
    assert (await first).value == "Network"


async def test_a_cancelled_trial_leaves_the_trial_to_the_next():
    path = Path(ServerFaultError("x"), retries=0, breaker_failures=1)
    await path.ask()
    path.time.ms += 30_000

    async def never(request: Request) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError

    path.server.script = [never]
    trial = asyncio.create_task(path.ask())
    for _ in range(20):
        await asyncio.sleep(0)
    assert (await path.ask()).reason is FallbackReason.BREAKER_OPEN
    trial.cancel()
    await asyncio.gather(trial, return_exceptions=True)
    assert (await path.ask()).value == "Network"
    assert metrics.LLM_IN_FLIGHT.labels("fake")._value.get() == 0


async def test_whatever_an_answer_breaks_in_our_reading_costs_only_the_answer():
    def read(content: object, text: str) -> str:
        raise RecursionError("nested too deeply")

    path = Path()
    asked = question()
    broken = Question(asked.prepare, read, asked.repair)
    outcome = await path.caller.ask(broken, stage="classify", service="web")
    assert outcome.reason is FallbackReason.MODEL_ERROR


def test_every_error_has_a_reason_of_the_closed_set():
    def below(kind: type[ModelError]) -> list[type[ModelError]]:
        return [kind, *(found for child in kind.__subclasses__() for found in below(child))]

    reasons = {kind.reason for kind in below(ModelError)}
    assert reasons <= {reason.value for reason in FallbackReason}
