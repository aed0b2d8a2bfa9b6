"""What a word of feedback means: was the verdict right, and what would have been right.

Comes in: what a person says, and the verdict where it is known. Goes out: a Feedback record, or a
plain yes or no. Promise: a correction that contradicts its own yes or no is not taken at its word;
the correction counts.
"""

from dataclasses import dataclass

from schemas.classification import Classification
from schemas.learning import Feedback
from schemas.vocabulary import Category, Severity
from streams.errors import InputError

NOTHING_SAID = "nothing is said: use --right, --wrong, --category, --severity, --comment or others"


@dataclass(frozen=True, slots=True)
class Said:
    """What a person says of one verdict; None where nothing is said."""

    right: bool | None = None
    category: Category | None = None
    severity: Severity | None = None
    summary_useful: bool | None = None
    plan_useful: bool | None = None
    comment: str | None = None

    @property
    def empty(self) -> bool:
        """Tell whether nothing at all is said."""
        return self == Said()


def make_feedback(verdict: Classification, said: Said, person: str, given_ms: int) -> Feedback:
    """Put what `person` says of `verdict` into a record; unsigned.

    "Right" speaks of category and severity, "wrong" of the category; what is named beside it is the
    correction. Raises InputError when nothing is said, or the same thing is called right and wrong.
    """
    if said.empty:
        raise InputError(NOTHING_SAID)
    category_correct = said.right
    severity_correct = True if said.right else None
    if said.category is not None:
        same = said.category is verdict.category
        if said.right is not None and said.right is not same:
            word = "right" if said.right else "wrong"
            raise InputError(
                f"the verdict's category is {verdict.category}: it cannot be called {word} while "
                f"--category says {said.category}"
            )
        category_correct = same
    if said.severity is not None:
        severity_correct = said.severity is verdict.severity
    return Feedback(
        incident_id=verdict.incident_id,
        revision=verdict.revision,
        person=person,
        given_ms=given_ms,
        category_correct=category_correct,
        severity_correct=severity_correct,
        summary_useful=said.summary_useful,
        plan_useful=said.plan_useful,
        corrected_category=None if said.category is verdict.category else said.category,
        corrected_severity=None if said.severity is verdict.severity else said.severity,
        comment=said.comment,
        model=verdict.judge.model,
        adapter=verdict.judge.adapter,
    )


def calls_wrong(
    feedback: Feedback, category: Category | None, severity: Severity | None
) -> bool | None:
    """Tell whether the verdict's category or severity is called wrong; None: neither is spoken of.

    `category` and `severity` are the verdict's, None where it is no longer known.
    """
    opinions = (
        _right(feedback.category_correct, feedback.corrected_category, category),
        _right(feedback.severity_correct, feedback.corrected_severity, severity),
    )
    given = [opinion for opinion in opinions if opinion is not None]
    return not all(given) if given else None


def said_category(feedback: Feedback, judged: Category) -> Category | None:
    """Return the category that the person holds to be true; None where they name none."""
    if feedback.corrected_category is not None:
        return feedback.corrected_category
    return judged if feedback.category_correct else None


def said_severity(feedback: Feedback, judged: Severity) -> Severity | None:
    """Return the severity that the person holds to be true; None where they name none."""
    if feedback.corrected_severity is not None:
        return feedback.corrected_severity
    return judged if feedback.severity_correct else None


def _right(
    correct: bool | None, corrected: Category | Severity | None, judged: Category | Severity | None
) -> bool | None:
    if corrected is None:
        return correct
    return corrected is judged if judged is not None else False
