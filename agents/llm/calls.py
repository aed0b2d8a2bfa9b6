"""The one way in which a stage asks a model: in turn, guarded, within its time, and counted.

Comes in: a question: how to build the request, read the answer and ask for its repair. Goes out: an
Outcome with a value or a reason, never an exception of the model's. Promise: one question and at
most one repair; only what may go better is tried again, with full jitter or when the server says;
all of it, the wait for a turn apart, ends within the time budget; a dead server costs a moment.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from secrets import randbelow
from typing import Any, TypeVar

from agents.llm.breaker import Breaker, BreakerState
from agents.llm.callspan import CallSpan
from agents.llm.course import Course
from agents.llm.errors import (
    BadAnswerError,
    ModelError,
    NotAllowedError,
    NotAskedError,
    OverloadedError,
    RejectedError,
    RetryableError,
    TimedOutError,
)
from agents.llm.fitting import CountTokens
from agents.llm.limits import HourlyCap, Turns
from agents.llm.protocol import Backend, Reply, Request, ServerInfo
from agents.llm.question import Outcome, Question
from agents.llm.reasons import FallbackReason, reason_of
from streams import metrics
from streams.clock import monotonic_ms
from streams.modelsettings import ModelSettings

log = logging.getLogger(__name__)

T = TypeVar("T")

AT_ONCE_UNKNOWN = 4
"""Calls at once where neither the server nor a setting says how many."""
DESCRIBE_SECONDS = 5.0
DESCRIBE_AGAIN_MS = 60_000
LONGEST_STAY_SECONDS = 110.0
"""Longest wait for a turn and a question together: less than a rebalance gives members to finish
(streams/app.py); an incident that would wait longer is better judged by the baseline."""
LEAST_PATIENCE_SECONDS = 10.0


def draw() -> float:
    """Return a number drawn evenly between 0 and 1."""
    return randbelow(1 << 53) / (1 << 53)


class Caller:
    """Asks one backend; one per process, since breaker and turns belong to the server."""

    def __init__(
        self,
        backend: Backend,
        settings: ModelSettings,
        *,
        now_ms: Callable[[], int] = monotonic_ms,
        chance: Callable[[], float] = draw,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Clock, chance and sleep are inputs, so that tests need neither time nor luck."""
        self.backend = backend
        self._settings = settings
        self._now_ms = now_ms
        self._chance = chance
        self._sleep = sleep
        self._breaker = Breaker(
            settings.breaker_failures, round(settings.breaker_open_seconds * 1000)
        )
        self._turns = Turns(settings.max_concurrent or AT_ONCE_UNKNOWN)
        self._patience_seconds = max(
            LEAST_PATIENCE_SECONDS, LONGEST_STAY_SECONDS - settings.call_timeout_seconds
        )
        self._cap = HourlyCap(settings.calls_per_service_hour)
        self._describing = asyncio.Lock()
        self._describe_at_ms: int | None = 0
        self._info: ServerInfo | None = None
        metrics.LLM_BREAKER_OPEN.labels(backend.name).set(0)

    @property
    def is_open(self) -> bool:
        """Tell whether a question would be answered by a refusal now."""
        return not self._breaker.would_admit(self._now_ms())

    @property
    def max_prompt_tokens(self) -> int:
        """Return the longest prompt, by the settings and by what the server takes."""
        told = self._info.max_prompt_tokens if self._info else None
        return min(self._settings.max_prompt_tokens, told or self._settings.max_prompt_tokens)

    async def ask(
        self,
        question: Question[T],
        *,
        stage: str,
        service: str,
        backlog: int = 0,
        spent_seconds: float = 0.0,
    ) -> Outcome[T]:
        """Ask; `backlog` is how much waits behind it, `spent_seconds` what the budget has lost."""
        if self.is_open:
            return Outcome(None, FallbackReason.BREAKER_OPEN)
        try:
            async with self._turns.turn(backlog, self._patience_seconds):
                return await self._in_turn(question, stage, service, spent_seconds)
        except TimeoutError:
            return Outcome(None, FallbackReason.BUSY)

    async def _in_turn(
        self, question: Question[T], stage: str, service: str, spent_seconds: float
    ) -> Outcome[T]:
        begun_ms = self._now_ms()
        ticket = self._breaker.admit(begun_ms)
        if ticket is None:
            return Outcome(None, FallbackReason.BREAKER_OPEN)
        budget_ms = round(1000 * max(0.0, self._settings.call_timeout_seconds - spent_seconds))
        course = Course(
            stage, service, ticket, begun_ms, begun_ms + budget_ms, self._settings.retries
        )
        try:
            await self._learn_the_limit(course)
            value, reply = await self._converse(question, course)
            found: tuple[T | None, FallbackReason | None] = (value, None)
            said: tuple[str | None, str | None] = (reply.model, reply.adapter)
        except ModelError as error:
            log.info("%s goes without a model: %s", stage, error)
            found, said = (None, reason_of(error.reason)), (None, None)
        except Exception:
            # A model can write anything: what trips our reading of it must not cost the incident.
            log.exception("%s could not ask or read an answer", stage)
            found, said = (None, FallbackReason.MODEL_ERROR), (None, None)
        finally:
            self._breaker.withdrawn(ticket)
        return Outcome(
            *found,
            *said,
            tokens=course.tokens,
            latency_ms=float(self._now_ms() - begun_ms),
            calls=course.calls,
        )

    async def _converse(self, question: Question[T], course: Course) -> tuple[T, Reply]:
        request = await self._tried(lambda: question.prepare(self._count(course)), course)
        try:
            return await self._one_answer(request, question, course)
        except BadAnswerError as error:
            repair = question.repair(request, error)
        return await self._one_answer(repair, question, course)

    async def _one_answer(
        self, request: Request, question: Question[T], course: Course
    ) -> tuple[T, Reply]:
        async def ask_and_read() -> tuple[T, Reply]:
            with CallSpan(self.backend.name, course.stage, request.adapter) as span:
                reply = await self._call(request, course)
                span.replied(reply.model, reply.prompt_tokens, reply.completion_tokens)
                try:
                    value = question.read(reply.content, reply.text)
                except BadAnswerError:
                    self._count_call(course, BadAnswerError.reason)
                    raise
                self._count_call(course, "answered")
                return value, reply

        found: tuple[T, Reply] = await self._tried(ask_and_read, course)
        return found

    async def _tried(self, act: Callable[[], Awaitable[Any]], course: Course) -> Any:
        """Do it, again after a wait where that may help; tells the breaker of every failure."""
        while True:
            try:
                return await act()
            except RetryableError as error:
                busy = isinstance(error, OverloadedError)
                if busy:
                    self._turns.less()
                wait_seconds = course.next_wait(error, self._now_ms(), self._chance())
                if not busy or wait_seconds is None:
                    self._failed(course)
                if wait_seconds is None or not self._breaker.allows(course.ticket):
                    raise
                course.tries_left -= 1
                course.waits += 1
                await self._sleep(wait_seconds)
                if not self._breaker.allows(course.ticket):
                    raise
            except (TimedOutError, NotAllowedError) as error:
                hung = isinstance(error, TimedOutError) and course.waits == 0
                self._failed(course, hung_ms=self._now_ms() - course.begun_ms if hung else 0)
                raise
            except (RejectedError, BadAnswerError):
                self._answered()
                raise

    async def _call(self, request: Request, course: Course) -> Reply:
        if not self._cap.take(course.service, self._now_ms()):
            raise NotAskedError(
                FallbackReason.OVER_BUDGET,
                f"{course.service} has had its {self._settings.calls_per_service_hour} calls of "
                "this hour (OPSPILOT_MODEL__CALLS_PER_SERVICE_HOUR)",
            )
        left_seconds = course.left_seconds(self._now_ms())
        course.calls += 1
        begun_ms = self._now_ms()
        in_flight = metrics.LLM_IN_FLIGHT.labels(self.backend.name)
        in_flight.inc()
        try:
            reply = await _within(
                self.backend.complete(replace(request, timeout_seconds=left_seconds)), left_seconds
            )
        except ModelError as error:
            self._count_call(course, error.reason)
            raise
        finally:
            in_flight.dec()
            latency = metrics.LLM_INFERENCE_LATENCY.labels(self.backend.name, course.stage)
            latency.observe((self._now_ms() - begun_ms) / 1000)
        self._note(reply, course)
        return reply

    def _note(self, reply: Reply, course: Course) -> None:
        course.tokens += reply.prompt_tokens + reply.completion_tokens
        labels = self.backend.name, course.stage
        metrics.LLM_PROMPT_TOKENS.labels(*labels).inc(reply.prompt_tokens)
        metrics.LLM_TOKENS_GENERATED.labels(*labels).inc(reply.completion_tokens)
        self._turns.more()
        self._answered()

    def _count(self, course: Course) -> CountTokens:
        async def count(text: str) -> int:
            left_seconds = course.left_seconds(self._now_ms())
            return await _within(self.backend.count_tokens(text), left_seconds)

        return count

    async def _learn_the_limit(self, course: Course) -> None:
        """Ask the server once how much it takes at once and at most."""
        if self._describe_at_ms is None or self._now_ms() < self._describe_at_ms:
            return
        async with self._describing:  # the first questions wait for the one that asks
            if self._describe_at_ms is None or self._now_ms() < self._describe_at_ms:
                return
            self._describe_at_ms = self._now_ms() + DESCRIBE_AGAIN_MS
            seconds = min(DESCRIBE_SECONDS, course.left_seconds(self._now_ms()))
            try:
                info = await _within(self.backend.describe(), seconds)
            except ModelError as error:
                log.info("%s does not say what it is: %s", self.backend.name, error)
                return
            self._describe_at_ms, self._info = None, info
            if info.max_concurrent and not self._settings.max_concurrent:
                self._turns.set_most(info.max_concurrent)

    def _failed(self, course: Course, *, hung_ms: int = 0) -> None:
        self._breaker.failed(course.ticket, self._now_ms(), hung_ms=hung_ms)
        if self._breaker.state(self._now_ms()) is BreakerState.OPEN:
            # Nobody should wait for a server that is left alone.
            self._turns.release_all()
        self._show()

    def _answered(self) -> None:
        self._breaker.answered(self._now_ms())
        self._show()

    def _show(self) -> None:
        is_open = self._breaker.state(self._now_ms()) is not BreakerState.CLOSED
        metrics.LLM_BREAKER_OPEN.labels(self.backend.name).set(is_open)

    def _count_call(self, course: Course, outcome: str) -> None:
        metrics.LLM_CALLS.labels(self.backend.name, course.stage, outcome).inc()


async def _within(act: Awaitable[T], seconds: float) -> T:
    """Await it for so long, whatever the backend does with its own time budget."""
    try:
        async with asyncio.timeout(seconds):
            return await act
    except TimeoutError:
        raise TimedOutError(f"no answer within {seconds:.1f} s") from None
