"""The two questions of a revision, as the call path takes them.

Comes in: a record, the prompts, bounds. Goes out: Questions whose answers are checked and clean.
Promise: chance enters here and nowhere below: one unpredictable nonce per question; the one repair
names each fault.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from secrets import token_hex
from typing import Any, TypeVar

from agents.llm.errors import BadAnswerError
from agents.llm.fitting import Build, CountTokens, fit
from agents.llm.protocol import Request
from agents.llm.question import Question
from agents.logic.answers.classification import read_classify_answer
from agents.logic.answers.combining import Combined, combine
from agents.logic.answers.faults import AnswerError
from agents.logic.answers.planning import plan_from_answer, read_plan_answer
from agents.logic.judging.verdict import Verdict
from agents.logic.prompting.passages import Passage
from agents.logic.prompting.prompts import Prompt, PromptTemplate
from agents.logic.prompting.questions import classify_prompt, plan_prompt, repair_messages
from schemas.classification import Classification, Judge
from schemas.incident import Incident
from schemas.remediation import RemediationPlan
from schemas.services import ServiceInfo

T = TypeVar("T")

NONCE_BYTES = 16
_NOBODY = Judge(backend="none", model="none")
"""Stands in a plan until its judge is known: the call is not over when the answer is read."""


class UnusableAnswerError(BadAnswerError):
    """An answer in the right form that breaks this project's own rules; `faults` say which."""

    def __init__(self, faults: Sequence[str], text: str) -> None:
        super().__init__(" ".join(faults), text)
        self.faults = tuple(faults)


def classify_question(
    incident: Incident,
    baseline: Verdict,
    templates: Mapping[str, PromptTemplate],
    adapter: str | None,
    *,
    max_prompt_tokens: Callable[[], int],
    max_tokens: int,
) -> Question[Combined]:
    """Ask for category, severity, summary and actions, to be combined with the baseline's.

    `max_prompt_tokens` is asked when the prompt is built: the server may have said it by then.
    """
    nonce = token_hex(NONCE_BYTES)

    def build(items: int) -> Prompt:
        return classify_prompt(incident, templates["classify"], nonce, items)

    def read(content: Mapping[str, Any], prompt: Prompt) -> Combined:
        return combine(read_classify_answer(content, incident, prompt), baseline, incident)

    request = Request((), {}, max_tokens, 0.0, subject=incident, adapter=adapter)
    return _question(build, read, request, templates["repair"], max_prompt_tokens)


def plan_question(
    classification: Classification,
    service_info: ServiceInfo | None,
    passages: Sequence[Passage],
    facts: Mapping[str, str],
    templates: Mapping[str, PromptTemplate],
    adapter: str | None,
    *,
    max_prompt_tokens: Callable[[], int],
    max_tokens: int,
) -> Question[RemediationPlan]:
    """Ask for a plan that rests on the passages."""
    nonce = token_hex(NONCE_BYTES)

    def build(items: int) -> Prompt:
        return plan_prompt(classification, service_info, passages, templates["plan"], nonce, items)

    def read(content: Mapping[str, Any], prompt: Prompt) -> RemediationPlan:
        answer = read_plan_answer(content, classification, passages, prompt)
        return plan_from_answer(
            answer, classification, service_info, passages, facts, judge=_NOBODY
        )

    request = Request((), {}, max_tokens, 0.0, subject=classification, adapter=adapter)
    return _question(build, read, request, templates["repair"], max_prompt_tokens)


def _question(
    build: Build,
    read: Callable[[Mapping[str, Any], Prompt], T],
    bare: Request,
    repairing: PromptTemplate,
    max_prompt_tokens: Callable[[], int],
) -> Question[T]:
    asked: list[Prompt] = []

    async def prepare(count_tokens: CountTokens) -> Request:
        prompt = await fit(build, count_tokens, max_prompt_tokens())
        asked.append(prompt)
        return replace(bare, messages=prompt.messages, schema=prompt.schema, name=prompt.name)

    def read_text(content: Mapping[str, Any], text: str) -> T:
        try:
            return read(content, asked[-1])
        except AnswerError as error:
            raise UnusableAnswerError(error.faults, text) from None

    def repair(request: Request, error: BadAnswerError) -> Request:
        faults = error.faults if isinstance(error, UnusableAnswerError) else (str(error),)
        messages = repair_messages(asked[-1], error.text, faults, repairing)
        return replace(request, messages=messages)

    return Question(prepare, read_text, repair)
