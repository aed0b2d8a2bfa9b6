"""Past incidents like this one, and what is known to have mended them.

Comes in: this incident, other incidents with verdicts, plans and people's words. Goes out: an
Observation. Promise: pure; only what was opened before counts; the order of the records changes
nothing; a plan that people called useless is never shown as what fixed it.
Method: cosine of the sets of words, each weighted by its inverse frequency over the incidents.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agents.logic.investigation.observing import Observation
from agents.logic.plans.retrieval import tokens
from agents.logic.prompting.quarantine import Plain
from schemas.classification import Classification
from schemas.incident import Incident
from schemas.investigation import EvidenceRef
from schemas.learning import Feedback
from schemas.remediation import RemediationPlan
from schemas.vocabulary import IncidentStatus

LIKE = 0.35
"""From this likeness on a past incident is shown; the same fingerprint alone reaches it."""
MAX_SIMILAR = 5
_WORDS, _FINGERPRINT, _SERVICE = 0.6, 0.35, 0.05
_MAX_TEXTS = 12


@dataclass(frozen=True, slots=True)
class Past:
    """All that is known of one past incident."""

    incident: Incident
    verdict: Classification | None = None
    plan: RemediationPlan | None = None
    feedback: tuple[Feedback, ...] = field(default=())

    @property
    def confirmed(self) -> bool:
        """Tell whether more people called the plan useful than useless."""
        words = [said.plan_useful for said in self.feedback if said.plan_useful is not None]
        return sum(1 if useful else -1 for useful in words) > 0

    @property
    def refuted(self) -> bool:
        """Tell whether more people called the plan useless than useful."""
        words = [said.plan_useful for said in self.feedback if said.plan_useful is not None]
        return sum(1 if useful else -1 for useful in words) < 0


def rank(incident: Incident, pasts: Iterable[Past]) -> list[tuple[float, Past]]:
    """Return past incidents with their likeness in 0 to 1, the most alike first."""
    family = {incident.id, *incident.merged_from, incident.merged_into}
    others = [
        past
        for past in pasts
        if past.incident.id not in family
        and past.incident.status is not IncidentStatus.MERGED
        and past.incident.opened_ms < incident.opened_ms
    ]
    words = {past.incident.id: _words(past.incident) for past in others}
    own = _words(incident)
    weights = _weights([*words.values(), own])
    found = []
    for past in others:
        other = past.incident
        likeness = _WORDS * _cosine(own, words[other.id], weights)
        likeness += _FINGERPRINT * (other.fingerprint == incident.fingerprint)
        likeness += _SERVICE * (other.service == incident.service)
        found.append((round(min(1.0, likeness), 4), past))
    return sorted(
        found, key=lambda pair: (-pair[0], -pair[1].incident.opened_ms, pair[1].incident.id)
    )


def similar_incidents(incident: Incident, pasts: Iterable[Past]) -> Observation:
    """Show the most alike, each with its kind, how long it took and what fixed it."""
    ranked = [(likeness, past) for likeness, past in rank(incident, pasts) if likeness >= LIKE]
    shown = ranked[:MAX_SIMILAR]
    if not shown:
        return Observation("No earlier incident is like this one.")
    confirmed = sum(past.confirmed for _, past in ranked)
    helped = next((past for _, past in shown if past.confirmed), None)
    lead = helped or shown[0][1]
    return Observation(
        summary=(
            f"{len(ranked)} earlier incidents are like this one, the nearest with a likeness of "
            f"{shown[0][0]:.2f}; people confirmed the plan of {confirmed}."
        ),
        rows=tuple(_row(likeness, past) for likeness, past in shown),
        evidence=tuple(
            EvidenceRef(kind="incident", id=past.incident.id, what=past.incident.title[:200])
            for _, past in shown
        ),
        lead=_lead(lead),
        strength=shown[0][0] if helped is None else max(shown[0][0], 0.8),
    )


def _lead(past: Past) -> str:
    title = past.plan.title if past.plan is not None and not past.refuted else ""
    fixed = f", mended by: {title}" if past.confirmed else f", plan: {title}" if title else ""
    return f"incident {past.incident.id} ({past.incident.title}{fixed})"


def _row(likeness: float, past: Past) -> Mapping[str, Plain]:
    incident, verdict, plan = past.incident, past.verdict, past.plan
    ended = incident.resolved_ms
    row: dict[str, Plain] = {"incident": incident.id, "likeness": likeness, "title": incident.title}
    if verdict is not None:
        said = [word for word in past.feedback if word.corrected_category is not None]
        category = said[-1].corrected_category if said else verdict.category
        row["category"] = str(category or verdict.category)
        row["summary"] = verdict.summary
    row["minutes"] = round((ended - incident.opened_ms) / 60_000, 1) if ended else "still open"
    if plan is not None and not past.refuted:
        changes = [step.description for step in plan.steps if step.requires_approval][:2]
        row["plan"] = plan.title
        row["steps"] = changes
        row["people"] = "confirmed" if past.confirmed else "said nothing of it"
    elif past.refuted:
        row["people"] = "called the plan useless"
    comments = [said.comment for said in past.feedback if said.comment][:2]
    if comments:
        row["comments"] = comments
    return row


def _words(incident: Incident) -> frozenset[str]:
    analysis = incident.analysis
    texts = [shape.shape for shape in analysis.evidence[:_MAX_TEXTS]]
    texts += [pattern.template for pattern in analysis.patterns[:_MAX_TEXTS]]
    texts.append(incident.description or "")
    if not any(texts):
        texts = [incident.title]
    return frozenset(word for text in texts for word in tokens(text))


def _weights(documents: Sequence[frozenset[str]]) -> Mapping[str, float]:
    counts = Counter(word for words in documents for word in words)
    return {w: math.log(1 + len(documents) / count) for w, count in counts.items()}


def _cosine(one: frozenset[str], other: frozenset[str], weights: Mapping[str, float]) -> float:
    if not one or not other:
        return 0.0
    shared = sum(weights[word] ** 2 for word in one & other)
    lengths = [math.sqrt(sum(weights[word] ** 2 for word in words)) for words in (one, other)]
    return shared / (lengths[0] * lengths[1])
