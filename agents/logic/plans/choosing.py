"""Which runbooks a plan follows.

Comes in: a classification, what is known of the service, the library, perhaps how near the incident
is to each runbook in meaning. Goes out: one or two runbooks, and how they were found. Promise:
pure; what words speak for comes first, and closeness chooses only where they speak for none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from agents.logic.plans.facts import LINE_MAX_CHARS
from agents.logic.plans.retrieval import Match, Query, RunbookLibrary
from agents.logic.plans.runbooks import Runbook
from agents.logic.plans.telling import telling_evidence
from schemas.classification import Classification
from schemas.finding import ShapeEvidence
from schemas.services import ServiceInfo, ServiceName
from schemas.vocabulary import Category

_EVIDENCE_SHAPES = 8
_EXAMPLES_PER_SHAPE = 3
_SECOND_SHARE = 0.85
"""A second runbook is added from this share of the first one's score on."""


class Found(StrEnum):
    """How a plan's first runbook was found; the value is what its source says of that."""

    BY_WORDS = ""
    BY_MEANING = "found by its meaning alone, as no symptom is shown in words: see whether it fits"
    AS_GENERIC = "used since no specific runbook matches this incident well enough"


def choose_runbooks(
    classification: Classification,
    service_info: ServiceInfo | None,
    library: RunbookLibrary,
    closeness: Mapping[str, float] | None = None,
) -> tuple[list[Runbook], Found]:
    """Return the runbooks to follow and how the first was found.

    Raises LookupError where the library lacks the category's generic runbook and needs it.
    """
    query = runbook_query(classification, service_info)
    fitting = library.fitting(query, closeness)
    if not fitting:
        return [_generic(classification.category, library)], Found.AS_GENERIC
    first = fitting[0]
    if first.is_near:
        # What no word shows has no lines of its own by which a second could be held against it.
        return [first.runbook], Found.BY_MEANING
    # A second runbook must be shown by the lines of the same problem, not by what stands beside.
    telling = telling_evidence(ranked_evidence(classification), first.runbook)
    told = "\n".join(_told(classification, telling))
    again = library.fitting(replace(query, text=told, lines=_voices(telling)))
    others = [match for match in again if match.runbook is not first.runbook]
    second = [match for match in others[:1] if _is_second(first, match)]
    return [first.runbook, *(match.runbook for match in second)], Found.BY_WORDS


def runbook_query(classification: Classification, service_info: ServiceInfo | None) -> Query:
    """Return what a runbook is searched by."""
    return Query(
        text="\n".join(_told(classification)),
        lines=_voices(ranked_evidence(classification)),
        category=classification.category,
        subcategory=classification.subcategory,
        service=ServiceName.parse(classification.incident.service).service,
        preferred=frozenset(service_info.runbooks if service_info else ()),
    )


def ranked_evidence(classification: Classification) -> list[ShapeEvidence]:
    """Return the shapes that speak most for the incident, worst wording first."""
    evidence = classification.evidence or classification.incident.analysis.evidence
    ranked = sorted(evidence, key=lambda shape: (-shape.problem, -shape.count, shape.shape_id))
    return ranked[:_EVIDENCE_SHAPES]


def evidence_lines(
    classification: Classification, evidence: Sequence[ShapeEvidence] | None = None
) -> list[str]:
    """Return the example lines of the evidence, and what a person wrote."""
    chosen = ranked_evidence(classification) if evidence is None else evidence
    lines = [
        line[:LINE_MAX_CHARS]
        for shape in chosen
        for line in (shape.examples[:_EXAMPLES_PER_SHAPE] or (shape.shape,))
    ]
    described = classification.incident.description
    return lines + ([described[:LINE_MAX_CHARS]] if described else [])


def _told(
    classification: Classification, evidence: Sequence[ShapeEvidence] | None = None
) -> list[str]:
    """Return what finds a runbook: the lines of the evidence, else what else is told."""
    lines = evidence_lines(classification, evidence)
    if lines:
        return [classification.subcategory, *lines]
    brief = classification.incident
    templates = (pattern.template for pattern in brief.analysis.patterns[:_EVIDENCE_SHAPES])
    return [classification.subcategory, classification.summary, brief.title, *templates]


def _voices(evidence: Sequence[ShapeEvidence]) -> tuple[tuple[str, int], ...]:
    """Return a line of each shape and its count; the logarithm keeps a flood from shouting."""
    return tuple((shape.text, 1 + shape.count.bit_length()) for shape in evidence)


def _is_second(first: Match, second: Match) -> bool:
    shares_category = bool(set(first.runbook.categories) & set(second.runbook.categories))
    return second.is_good and shares_category and second.score >= _SECOND_SHARE * first.score


def _generic(category: Category, library: RunbookLibrary) -> Runbook:
    runbook = library.generic(category)
    if runbook is None:
        raise LookupError(
            f"The runbook library has no generic-{category.value.lower()}.md; add that file"
        )
    return runbook
