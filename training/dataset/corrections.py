"""What people corrected, as examples that hold nothing of theirs but the wording.

Comes in: words of feedback, the verdicts they speak of. Goes out: examples. Promise: pure; only
labels that two voices bear out (agents/logic/feedback/selection.py) are learnt; every value, host
and service name is made up anew; comments and descriptions are left out.
"""

import re
from collections.abc import Mapping, Sequence

from agents.logic.feedback.selection import Lesson, Word, select_lessons
from agents.logic.judging.classifier import Classifier
from agents.logic.judging.verdict import Evidence, judge
from agents.logic.prompting.prompts import PromptTemplate
from agents.logic.windows.grading import Grader
from schemas.classification import Classification
from schemas.finding import ShapeEvidence
from schemas.ids import content_id
from schemas.vocabulary import Category
from streams.ingest.redact import Redactor
from training.dataset.asking import Labels, try_example
from training.dataset.chance import Chance
from training.dataset.examples import Example, Split
from training.dataset.incidents import incident_of
from training.dataset.leakage import wording
from training.dataset.naming import made_up_service

_FAMILY = "feedback "
VARIANTS = 3
"""Times that a correction is shown, each with other values: one among hundreds is not heard."""
_TEST_SHARE, _VALIDATION_SHARE = 0.25, 0.15
_MOST_SHAPES = 6
_MOST_REPEATS = 8
_ITEMS = 12
_MASK = re.compile(r"<(?P<kind>[A-Za-z*][A-Za-z0-9_*:-]*)>")
_JSON_KEYS = re.compile(r" json:[\w.,<>*@ -]+$")
_WORDS = ("alpha", "bravo", "delta", "kilo", "lima", "oscar", "sierra", "tango")


def evidence_votes(
    verdicts: Mapping[str, Classification], classifier: Classifier
) -> dict[str, Category]:
    """Return the category that each incident's lines speak for by themselves."""
    votes: dict[str, Category] = {}
    for incident_id, verdict in verdicts.items():
        lines = [Evidence(shape.text, shape.level, shape.count) for shape in _evidence(verdict)]
        if lines:
            votes[incident_id] = judge(verdict.incident.service, lines, classifier).category
    return votes


def correction_examples(
    words: Sequence[Word],
    verdicts: Mapping[str, Classification],
    classifier: Classifier,
    template: PromptTemplate,
    grader: Grader,
    *,
    single_person: bool = False,
) -> list[Example]:
    """Return the examples of all that may be learnt, in the order of incident ids."""
    evidence = evidence_votes(verdicts, classifier)
    examples: dict[str, Example] = {}
    for lesson in select_lessons(words, evidence, single_person=single_person):
        verdict = verdicts.get(lesson.incident_id)
        if verdict is None or not _evidence(verdict):
            continue
        for variant in range(VARIANTS):
            example = _example(lesson, verdict, variant, template, grader)
            if example is not None:
                examples[example.id] = example
    return list(examples.values())


def _evidence(verdict: Classification) -> tuple[ShapeEvidence, ...]:
    return (verdict.incident.analysis.evidence or verdict.evidence)[:_MOST_SHAPES]


def _example(
    lesson: Lesson,
    verdict: Classification,
    variant: int,
    template: PromptTemplate,
    grader: Grader,
) -> Example | None:
    chance = Chance("correction", lesson.incident_id, variant)
    redactor = Redactor()
    shapes = _evidence(verdict)
    lines: list[str] = []
    for shape in shapes:
        text = redactor.redact(_JSON_KEYS.sub("", shape.shape))
        level = f"{shape.level.value.upper()} " if shape.level is not None else ""
        repeats = min(shape.count, chance.number(1, _MOST_REPEATS))
        lines += [level + filled(text, chance) for _ in range(max(1, repeats))]
    try:
        incident = incident_of(made_up_service(chance), lines, grader)
    except ValueError:
        return None
    family = family_of(shapes)
    # Of severity people often say nothing: then the verdict's own stands.
    severity = lesson.severity or verdict.severity
    right = verdict.category is lesson.category
    labels = Labels(
        lesson.category,
        severity,
        verdict.subcategory if right else lesson.category.value.lower(),
        lines[0],
    )
    return try_example(
        incident, labels, template, split=split_of(family), family=family, items=_ITEMS
    )


def family_of(shapes: Sequence[ShapeEvidence]) -> str:
    """Return what incidents of the same wording share, whatever their services and values."""
    words = sorted({word for shape in shapes for word in wording(shape.shape)})
    return f"{_FAMILY}{content_id(*words)}"


def is_correction(example: Example) -> bool:
    """Tell whether an example comes from people's feedback."""
    return example.family.startswith(_FAMILY)


def split_of(family: str) -> Split:
    """Return where a family belongs: some are held back, so that the gate sees what was learnt."""
    share = Chance("family", family).share()
    if share < _TEST_SHARE:
        return Split.TEST
    return Split.VALIDATION if share < _TEST_SHARE + _VALIDATION_SHARE else Split.TRAIN


def filled(shape: str, chance: Chance) -> str:
    """Return a line of this shape with made-up values."""
    return _MASK.sub(lambda found: _value(found.group("kind"), chance), shape)


def _value(kind: str, chance: Chance) -> str:
    if kind in ("email", "secret", "token", "card", "user", "private-key", "credentials"):
        return f"<{kind}>"
    choice = chance.number(0, 5)
    if choice == 0:
        return f"10.{chance.number(0, 254)}.{chance.number(0, 254)}.{chance.number(1, 254)}"
    if choice == 1:
        return f"{chance.choose(_WORDS)}-{chance.number(1, 40)}"
    return str(chance.number(2, 9_999))
