"""Looks into one incident: a bounded loop of read-only tools, with a model or without.

Comes in: a case, a Toolbox, perhaps a Caller with its settings. Goes out: an Investigation, always:
whatever a model, its server or a tool does, what was seen is recorded and the baseline concludes
from it. Promise: steps, faults, tokens and seconds are bounded; nothing is executed.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_hex
from time import perf_counter
from typing import Any, Protocol, TypeVar

from agents.asking import NONCE_BYTES, UnusableAnswerError
from agents.llm.calls import Caller
from agents.llm.errors import BadAnswerError
from agents.llm.fitting import CountTokens, fit
from agents.llm.protocol import Request
from agents.llm.question import Outcome, Question
from agents.llm.reasons import FallbackReason
from agents.logic.answers.faults import AnswerError
from agents.logic.answers.suspicion import is_hostile, speaks_to_model
from agents.logic.investigation.concluding import (
    Case,
    Conclusion,
    conclude,
    evidence_seen,
    read_conclusion,
)
from agents.logic.investigation.inquiry import Budget, Inquiry, Phase
from agents.logic.investigation.moves import Move, ToolCall, read_move
from agents.logic.investigation.observing import Observation
from agents.logic.investigation.sequence import next_call
from agents.logic.prompting.investigating import MAX_ROWS_SHOWN, investigate_prompt
from agents.logic.prompting.prompts import Prompt, PromptTemplate
from agents.logic.prompting.questions import repair_messages
from schemas.classification import Judge
from schemas.investigation import Investigation, InvestigationEnd, InvestigationStep
from streams import metrics
from streams.clock import now_ms
from streams.errors import OpsPilotError
from streams.modelsettings import ModelSettings

log = logging.getLogger(__name__)

STAGE = "investigate"
MAX_STEP_TOKENS = 250
MAX_CONCLUSION_TOKENS = 700

T = TypeVar("T")
OnStep = Callable[[InvestigationStep], None]


class ToolError(OpsPilotError):
    """A tool could not show anything; the message says why, for a person and for a model."""


class Toolbox(Protocol):
    """What an investigation can look at."""

    async def use(self, call: ToolCall) -> Observation:
        """Look; raises ToolError, or any other error of what is looked at."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What is needed to ask a model; without it the fixed sequence is followed."""

    caller: Caller
    settings: ModelSettings
    templates: Mapping[str, PromptTemplate]


def ignore_step(step: InvestigationStep) -> None:
    """Take no notice of a step."""


async def investigate(
    case: Case,
    toolbox: Toolbox,
    *,
    asking: Asking | None = None,
    budget: Budget | None = None,
    on_step: OnStep = ignore_step,
) -> Investigation:
    """Look into one incident; `on_step` is told of each step as it is taken."""
    return await _Investigator(case, toolbox, asking, budget or Budget(), on_step).run()


class _Investigator:
    """One investigation under way."""

    def __init__(
        self,
        case: Case,
        toolbox: Toolbox,
        asking: Asking | None,
        budget: Budget,
        on_step: OnStep,
    ) -> None:
        self._case = case
        self._toolbox = toolbox
        self._asking = asking
        self._inquiry = Inquiry(budget)
        self._on_step = on_step
        self._started = perf_counter()
        self._model: str | None = None
        self._reason: FallbackReason | None = None
        self._ended = InvestigationEnd.CONCLUDED

    @property
    def _spent_seconds(self) -> float:
        return perf_counter() - self._started

    async def run(self) -> Investigation:
        """Return the record."""
        conclusion = None
        if self._asking is not None:
            if is_hostile(self._case.incident):
                self._reason = FallbackReason.HOSTILE_EVIDENCE
            else:
                conclusion = await self._with_model(self._asking)
        by_model = conclusion is not None
        if conclusion is None:
            await self._follow_sequence()
            conclusion = conclude(self._case, self._inquiry.seen)
        return self._record(conclusion, by_model=by_model)

    async def _with_model(self, asking: Asking) -> Conclusion | None:
        """Let the model choose tools until it concludes; None where the baseline must."""
        while True:
            phase = self._inquiry.phase(self._spent_seconds)
            if phase is Phase.STOP:
                self._ended = self._inquiry.end(self._spent_seconds) or self._ended
                self._reason = _REASONS.get(self._ended, FallbackReason.BAD_ANSWER)
                return None
            if phase is Phase.CONCLUDE:
                ended = self._inquiry.end_of_conclusion(self._spent_seconds)
                found = await self._ask(asking, self._conclusion_question(asking))
                if found is not None and self._speaks_to_model():
                    self._reason = FallbackReason.HOSTILE_EVIDENCE
                    return None
                if found is not None:
                    self._ended = ended
                    return found
            else:
                move = await self._ask(asking, self._move_question(asking))
                if move is not None:
                    await self._make(move)
            if self._reason is not None:
                self._ended = InvestigationEnd.MODEL_FAILED
                return None

    async def _make(self, move: Move) -> None:
        if move.call is None:
            self._inquiry.concluding = True
            return
        before = self._inquiry.asked_before(move.call)
        if before is not None:
            fault = f"step {before} asked exactly this; ask something else or conclude."
            self._on_step(self._inquiry.failed(fault, move.call, move.thought))
            return
        await self._use(move.call, move.thought)

    async def _follow_sequence(self) -> None:
        """Use the tools that were not used yet, in their fixed order, while there is time."""
        grace_seconds = 0.0 if self._inquiry.has_seen else self._inquiry.budget.seconds
        limit_seconds = max(self._inquiry.budget.seconds, self._spent_seconds + grace_seconds)
        while self._spent_seconds < limit_seconds:
            made = [done.call for done in self._inquiry.done if done.call is not None]
            call = next_call(self._case, made)
            if call is None:
                return
            await self._use(call, "")

    async def _use(self, call: ToolCall, thought: str) -> None:
        started = perf_counter()
        seconds = self._inquiry.budget.tool_seconds
        fault = None
        observation = Observation("")
        try:
            async with asyncio.timeout(seconds):
                observation = await self._toolbox.use(call)
        except TimeoutError:
            fault = f"{call.tool.value} did not answer within {seconds:.0f} s."
        except OpsPilotError as error:
            fault = str(error)
        except Exception:
            # A tool reads what anyone may have written: what trips it must not end the rest.
            log.exception("tool %s failed", call.tool.value)
            fault = f"{call.tool.value} failed; ask something else."
        latency_ms = (perf_counter() - started) * 1000
        if fault is not None:
            self._on_step(self._inquiry.failed(fault, call, thought, latency_ms))
        else:
            self._on_step(self._inquiry.saw(call, observation, thought, latency_ms))

    async def _ask(self, asking: Asking, question: Question[T | AnswerError]) -> T | None:
        """Ask once; an answer that breaks the rules becomes a fault, a dead server the reason."""
        left_seconds = self._inquiry.budget.seconds - self._spent_seconds
        spent = max(0.0, asking.settings.call_timeout_seconds - left_seconds)
        outcome: Outcome[T | AnswerError]
        try:
            async with asyncio.timeout(max(0.0, left_seconds)):
                outcome = await asking.caller.ask(
                    question,
                    stage=STAGE,
                    service=self._case.incident.service,
                    spent_seconds=spent,
                )
        except TimeoutError:
            return None  # the budget is used up: the next phase is STOP
        self._inquiry.tokens += outcome.tokens
        self._model = outcome.model or self._model
        if isinstance(outcome.value, AnswerError):
            self._on_step(self._inquiry.failed(str(outcome.value)))
            return None
        if outcome.value is None:
            if outcome.reason is FallbackReason.BAD_ANSWER:
                self._on_step(
                    self._inquiry.failed("the answer was not JSON of the form asked for.")
                )
            else:
                self._reason = outcome.reason
        return outcome.value

    def _move_question(self, asking: Asking) -> Question[Move | AnswerError]:
        def read(content: Mapping[str, Any], _prompt: Prompt) -> Move:
            return read_move(
                content,
                self._case.tools,
                self._case.services,
                may_conclude=self._inquiry.has_seen,
            )

        return self._question(asking, read, conclude=False, max_tokens=MAX_STEP_TOKENS)

    def _conclusion_question(self, asking: Asking) -> Question[Conclusion | AnswerError]:
        def read(content: Mapping[str, Any], prompt: Prompt) -> Conclusion:
            instructions = prompt.messages[0].content
            return read_conclusion(content, self._case, self._inquiry.seen, instructions)

        return self._question(asking, read, conclude=True, max_tokens=MAX_CONCLUSION_TOKENS)

    def _question(
        self,
        asking: Asking,
        read: Callable[[Mapping[str, Any], Prompt], T],
        *,
        conclude: bool,
        max_tokens: int,
    ) -> Question[T | AnswerError]:
        """Build a question whose broken rules are values: they are told in the next question."""
        nonce = token_hex(NONCE_BYTES)
        template = asking.templates[STAGE]
        asked: list[Prompt] = []

        def build(items: int) -> Prompt:
            return investigate_prompt(
                self._case, self._inquiry, template, nonce, conclude=conclude, items=items
            )

        async def prepare(count_tokens: CountTokens) -> Request:
            most = asking.caller.max_prompt_tokens
            prompt = await fit(build, count_tokens, most, MAX_ROWS_SHOWN)
            asked.append(prompt)
            return Request(prompt.messages, prompt.schema, max_tokens, 0.0, name=prompt.name)

        def read_text(content: Mapping[str, Any], _text: str) -> T | AnswerError:
            try:
                return read(content, asked[-1])
            except AnswerError as error:
                return error

        def repair(request: Request, error: BadAnswerError) -> Request:
            faults = error.faults if isinstance(error, UnusableAnswerError) else (str(error),)
            messages = repair_messages(asked[-1], error.text, faults, asking.templates["repair"])
            return Request(messages, request.schema, max_tokens, 0.0, name=request.name)

        return Question(prepare, read_text, repair)

    def _speaks_to_model(self) -> bool:
        """Tell whether a tool showed text that is written for a model to obey."""
        return speaks_to_model(evidence_seen(self._case.incident, self._inquiry.seen))

    def _record(self, conclusion: Conclusion, *, by_model: bool) -> Investigation:
        incident, inquiry = self._case.incident, self._inquiry
        latency_ms = round(self._spent_seconds * 1000, 3)
        asking = self._asking
        judge = Judge(
            backend="baseline",
            model="fixed-sequence",
            fallback_reason=self._reason,
            latency_ms=latency_ms,
            tokens=inquiry.tokens,
        )
        if by_model and asking is not None:
            judge = judge.model_copy(
                update={
                    "backend": asking.caller.backend.name,
                    "model": self._model or "unknown",
                    "prompt_version": asking.templates[STAGE].version,
                }
            )
        elif self._reason is not None:
            metrics.LLM_FALLBACKS.labels(STAGE, self._reason.value).inc()
        return Investigation(
            incident_id=incident.id,
            revision=incident.revision,
            service=incident.service,
            title=incident.title,
            steps=tuple(done.record for done in inquiry.done),
            conclusion=conclusion.text,
            probable_cause=conclusion.probable_cause,
            confidence=conclusion.confidence,
            basis=conclusion.basis,
            next_actions=conclusion.next_actions,
            ended=self._ended,
            judge=judge,
            tokens=inquiry.tokens,
            latency_ms=latency_ms,
            at_ms=now_ms(),
        )


_REASONS = {
    InvestigationEnd.OUT_OF_TIME: FallbackReason.TIMED_OUT,
    InvestigationEnd.OUT_OF_TOKENS: FallbackReason.OVER_BUDGET,
    InvestigationEnd.TOO_MANY_FAULTS: FallbackReason.BAD_ANSWER,
}
