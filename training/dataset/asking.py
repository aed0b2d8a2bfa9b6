"""From an incident and what is true of it to an example: the question, and the right answer to it.

Comes in: an Incident, its labels, the prompt. Goes out: an Example. Promise: pure; the question is
the one that classify asks; the answer is one that classify accepts without a repair, and stays as
it is when it is cleaned.
"""

import json
from dataclasses import dataclass

from agents.logic.answers.classification import ClassifyAnswer, read_classify_answer
from agents.logic.answers.faults import AnswerError
from agents.logic.judging.summary import excerpt
from agents.logic.judging.words import words_of
from agents.logic.prompting.characters import cut, harmless
from agents.logic.prompting.prompts import PromptTemplate
from agents.logic.prompting.questions import classify_prompt
from schemas.finding import ShapeEvidence
from schemas.ids import content_id
from schemas.incident import Incident
from schemas.vocabulary import Category, Severity
from training.dataset.examples import Example, Split

MAX_QUOTED = 100
"""Characters of the leading line in a summary: every token of an answer costs time."""
_ACTIONS: dict[Category, str] = {
    Category.NETWORK: "Check that the peer is reachable by name, route and port.",
    Category.DATABASE: "Look at the sessions, locks and replication of the database.",
    Category.APPLICATION: "Compare with what was released or configured just before.",
    Category.SECURITY: "Find who or what is refused, from where, and how often.",
    Category.HARDWARE: "Look at the health report of the device that is named.",
    Category.PERFORMANCE: "Look at load, queues and memory at that time.",
}
"""One is enough to look at first: each more costs a small model a second."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What is true of an incident; `leading` is the line that shows it best."""

    category: Category
    severity: Severity
    subcategory: str
    leading: str


def make_example(
    incident: Incident,
    labels: Labels,
    template: PromptTemplate,
    *,
    split: Split,
    family: str,
    items: int,
) -> Example:
    """Return the example; `items` is how much evidence to show. Raises AnswerError."""
    prompt = classify_prompt(incident, template, content_id("nonce", incident.id), items)
    try:
        answer = read_classify_answer(_answer(incident, labels, quote=True), incident, prompt)
    except AnswerError:
        # The leading line holds a command: a sentence without it will do.
        answer = read_classify_answer(_answer(incident, labels, quote=False), incident, prompt)
    return Example(
        id=content_id("example", split.value, family, incident.id, labels.category),
        split=split,
        family=family,
        messages=prompt.messages,
        completion=completion_of(answer),
        incident=incident,
        category=labels.category,
        severity=labels.severity,
    )


def try_example(
    incident: Incident,
    labels: Labels,
    template: PromptTemplate,
    *,
    split: Split,
    family: str,
    items: int,
) -> Example | None:
    """Return the example; None where no answer about these lines would be accepted."""
    try:
        return make_example(incident, labels, template, split=split, family=family, items=items)
    except AnswerError:
        return None


def completion_of(answer: ClassifyAnswer) -> str:
    """Return an answer as a model is to write it, the fields in the schema's order."""
    fields = {
        "category": answer.category.value,
        "severity": answer.severity.value,
        "summary": answer.summary,
        "suggestedActions": list(answer.suggested_actions),
    }
    return json.dumps(fields, ensure_ascii=False)


def _answer(incident: Incident, labels: Labels, *, quote: bool) -> dict[str, object]:
    service = harmless(incident.service.rsplit("/", 1)[-1], 60) or "a service"
    about = f"{labels.subcategory.replace('-', ' ')} ({labels.category.value})"
    said = harmless(cut(excerpt(_shown(incident, labels.leading)), MAX_QUOTED), MAX_QUOTED)
    opening = f"{service} logged '{said}'" if quote and said else f"{service} has trouble"
    return {
        "category": labels.category.value,
        "severity": labels.severity.value,
        "summary": f"{opening}, which points to {about}.",
        "suggestedActions": [_ACTIONS[labels.category]],
    }


def _shown(incident: Incident, leading: str) -> str:
    """Return the example of the evidence that is nearest to a line: the question shows that one."""
    wanted = frozenset(words_of(leading))

    def nearness(shape: ShapeEvidence) -> tuple[float, str]:
        words = frozenset(words_of(shape.shape))
        return len(words & wanted) / max(1, len(words | wanted)), shape.shape_id

    nearest = max(incident.analysis.evidence, key=nearness)
    return min(nearest.examples, key=lambda text: (len(text), text), default=nearest.shape)
