"""Asks a model server all questions of a set, and notes what came of each.

Comes in: a Backend, an adapter or none, examples. Goes out: a Judged per example, in their order.
Promise: the messages go out as they stand in the set; an answer that cannot be used is counted, not
mended; a server that cannot be asked is an error, never a candidate's fault.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.llm.errors import BadAnswerError, ModelError, RetryableError, TimedOutError
from agents.llm.protocol import Backend, Reply, Request
from agents.logic.answers.classification import ClassifyAnswer, read_classify_answer
from agents.logic.answers.combining import combine
from agents.logic.answers.faults import AnswerError
from agents.logic.answers.schemas import classify_schema
from agents.logic.judging.classifier import Classifier
from agents.logic.judging.incidents import judge_incident
from agents.logic.judging.verdict import Verdict
from agents.logic.prompting.prompts import Prompt
from agents.logic.prompting.quarantine import Markers
from training.dataset.examples import Example
from training.evaluation.classification import Said
from training.judged import Judged

CALL_SECONDS = 120.0
MAX_TOKENS = 250
TRIES = 3
PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom to ask, and within which bounds."""

    backend: Backend
    adapter: str | None = None
    at_once: int = 1
    max_tokens: int = MAX_TOKENS
    call_seconds: float = CALL_SECONDS


async def ask_all(
    asking: Asking,
    examples: Sequence[Example],
    classifier: Classifier,
    told: Callable[[int, int], None] | None = None,
) -> list[Judged]:
    """Ask every question; `told` hears how many of how many are answered. Raises ModelError.

    `classifier` is the baseline that a served verdict is cross-checked with: one that has not seen
    the test items, else the figures flatter.
    """
    turns = asyncio.Semaphore(max(1, asking.at_once))
    done = 0

    async def one(example: Example) -> Judged:
        nonlocal done
        async with turns:
            judged = await _ask(asking, example, classifier)
        done += 1
        if told is not None:
            told(done, len(examples))
        return judged

    failed: ExceptionGroup[ModelError] | None = None
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(example)) for example in examples]
    except* ModelError as errors:
        failed = errors
    if failed is not None:
        raise failed.exceptions[0]
    return [task.result() for task in tasks]


def by_baseline(examples: Sequence[Example], classifier: Classifier) -> list[Judged]:
    """Return what the baseline says of the examples."""
    judged = []
    for example in examples:
        verdict = judge_incident(example.incident, classifier)
        judged.append(Judged(example.id, verdict.category, verdict.severity, served_of(verdict)))
    return judged


def served_of(verdict: Verdict) -> Said:
    """Return a verdict as the measures take it."""
    return Said(verdict.category, verdict.severity, verdict.confidence, verdict.abstained)


async def _ask(asking: Asking, example: Example, classifier: Classifier) -> Judged:
    baseline = judge_incident(example.incident, classifier)
    request = Request(
        messages=example.messages,
        schema=classify_schema(),
        max_tokens=asking.max_tokens,
        timeout_seconds=asking.call_seconds,
        subject=example.incident,
        adapter=asking.adapter,
        name="classify",
    )
    try:
        reply = await _complete(asking.backend, request)
    except BadAnswerError:
        return Judged(example.id, None, None, served_of(baseline), is_json=False)
    answer, is_json = _read(reply.content, example)
    served = baseline if answer is None else combine(answer, baseline, example.incident).verdict
    return Judged(
        example.id,
        None if answer is None else answer.category,
        None if answer is None else answer.severity,
        served_of(served),
        is_json,
        reply.latency_ms,
        reply.prompt_tokens,
        reply.completion_tokens,
    )


async def _complete(backend: Backend, request: Request) -> Reply:
    for left in range(TRIES - 1, -1, -1):
        try:
            return await backend.complete(request)
        except (RetryableError, TimedOutError):
            if not left:
                raise
            await asyncio.sleep(PAUSE_SECONDS)
    raise AssertionError("the last try returns or raises")


def _read(content: Mapping[str, Any], example: Example) -> tuple[ClassifyAnswer | None, bool]:
    """Return the answer where it can be used, and whether it has the schema's form at least."""
    asked = Prompt(example.messages, classify_schema(), "", "classify", Markers(""), 0, 0)
    try:
        return read_classify_answer(content, example.incident, asked), True
    except AnswerError:
        wanted = classify_schema()["properties"]
        return None, isinstance(content, Mapping) and content.keys() == wanted.keys()
