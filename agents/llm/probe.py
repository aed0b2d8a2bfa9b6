"""Proves that an adapter really answers: servers fall back to the base model without a word.

Comes in: a backend, the adapter's name. Goes out: whether its answers differ from the base model's.
Promise: at most nine calls, greedy and short; a question to which the base model itself answers
differently from call to call is no evidence; without evidence the adapter is taken as silent.
"""

from dataclasses import dataclass, replace

from agents.llm.errors import BadAnswerError
from agents.llm.protocol import Backend, Message, Request
from schemas.vocabulary import Category, Severity

MAX_TOKENS = 96
_SCHEMA = {
    "type": "object",
    "properties": {
        "answer": {"type": "string", "maxLength": 200},
        "category": {"type": "string", "enum": [category.value for category in Category]},
        "severity": {"type": "string", "enum": [severity.value for severity in Severity]},
    },
    "required": ["answer", "category", "severity"],
    "additionalProperties": False,
}
_QUESTIONS = (
    "A service logs: connection pool exhausted, 50 of 50 in use, 12 waiting. What is it, and why?",
    "A node logs: 3 uncorrectable ECC errors in DIMM 2. What should be done first, and why?",
    "A gateway logs: upstream answered 502 to 40 of 100 requests. Describe what users notice.",
)
"""Free text shows a difference that a word from a closed list would hide; the words are what an
adapter was most likely trained on."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the probe found, and the sentence that says why."""

    answers: bool
    why: str


async def prove(backend: Backend, adapter: str, call_seconds: float) -> Proof:
    """Ask with and without the adapter; raises ModelError where no answer can be had."""
    steady = 0
    for text in _QUESTIONS:
        plain = Request(
            messages=(
                Message("user", f"{text} Answer in JSON with answer, category and severity: "),
            ),
            schema=_SCHEMA,
            max_tokens=MAX_TOKENS,
            timeout_seconds=call_seconds,
            name="probe",
        )
        before = await _answer(backend, plain)
        adapted = await _answer(backend, replace(plain, adapter=adapter))
        if adapted == before:
            steady += 1
            continue
        if await _answer(backend, plain) == before:
            return Proof(True, f"{adapter} answers other than the base model does")
    if steady:
        return Proof(False, f"{adapter} answers word for word like the base model: is it loaded?")
    return Proof(False, f"{adapter} cannot be told apart: the base model answers unsteadily")


async def _answer(backend: Backend, request: Request) -> str:
    """Return the text of an answer; one that was cut or is no JSON is a text as well."""
    try:
        return (await backend.complete(request)).text
    except BadAnswerError as error:
        if not error.text:
            raise
        return error.text
