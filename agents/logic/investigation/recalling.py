"""The runbooks that fit words, as an investigation shows them.

Comes in: the library, words, the verdict, perhaps a closeness. Goes out: an Observation.
Promise: pure; what is shown of a runbook is its title, symptoms and checks in words, never a
command.
"""

from collections.abc import Mapping

from agents.logic.investigation.observing import Observation
from agents.logic.plans.retrieval import Match, Query, RunbookLibrary
from agents.logic.prompting.quarantine import Plain
from schemas.classification import Classification
from schemas.investigation import EvidenceRef
from schemas.vocabulary import Category

MAX_RUNBOOKS = 3
_MAX_CHECKS = 3


def runbook_query(words: str, verdict: Classification | None, service: str) -> Query:
    """Return what is searched by; without a verdict any category may fit."""
    category = verdict.category if verdict is not None else Category.APPLICATION
    subcategory = verdict.subcategory if verdict is not None else ""
    return Query(words, category, subcategory, service)


def search_runbooks(
    library: RunbookLibrary, query: Query, closeness: Mapping[str, float] | None = None
) -> Observation:
    """Show the runbooks that fit best; `closeness` says how near each is in meaning, if asked."""
    matches = library.search(query, MAX_RUNBOOKS, closeness)
    if not matches:
        return Observation("No runbook shares a word with this.")
    best = matches[0]
    return Observation(
        summary=(
            f"{len(matches)} runbooks fit; of a symptom of the best one, {best.runbook.id}, "
            f"{best.coverage:.0%} is shown."
        ),
        rows=tuple(_row(match) for match in matches),
        evidence=tuple(
            EvidenceRef(kind="runbook", id=match.runbook.id, what=match.runbook.title[:200])
            for match in matches
        ),
        lead=f"{best.runbook.title} ({best.runbook.id})",
        strength=min(1.0, best.coverage) if best.is_good else 0.5 * min(1.0, best.coverage),
    )


def _row(match: Match) -> dict[str, Plain]:
    runbook = match.runbook
    return {
        "runbook": runbook.id,
        "title": runbook.title,
        "shown": round(match.coverage, 2),
        "symptoms": list(runbook.symptoms[:2]),
        "checks": [check.text for check in runbook.checks[:_MAX_CHECKS]],
    }
