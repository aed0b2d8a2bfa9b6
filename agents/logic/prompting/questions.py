"""The questions that are asked: classify an incident, plan its mending, repair an answer.

Comes in: records, a prompt template, a nonce, how many items of evidence to show. Goes out: Prompt.
Promise: pure; all that a log, a shipper or a reporter wrote stands between the markers of this one
request; outside of them stand only this project's words, numbers, closed vocabularies and runbooks.
"""

from collections.abc import Mapping, Sequence

from agents.llm.protocol import Message
from agents.logic.answers.schemas import classify_schema, plan_schema
from agents.logic.prompting.characters import harmless
from agents.logic.prompting.evidence import EvidenceItem, choose_evidence
from agents.logic.prompting.passages import Passage
from agents.logic.prompting.prompts import Prompt, PromptTemplate
from agents.logic.prompting.quarantine import (
    MARKER_PATTERN,
    Markers,
    Plain,
    block,
    markers_of,
)
from schemas.classification import Classification, IncidentBrief
from schemas.finding import ShapeEvidence
from schemas.incident import Incident
from schemas.services import ServiceInfo
from schemas.vocabulary import FindingKind

DEFAULT_ITEMS = 12
"""Items of evidence to begin with; the caller lowers it until the prompt fits."""
_MAX_NAMES = 4
_MAX_DESCRIPTION = 400
_MAX_REPAIRED = 1_500
_MAX_FAULTS = 6


def classify_prompt(
    incident: Incident, template: PromptTemplate, nonce: str, items: int = DEFAULT_ITEMS
) -> Prompt:
    """Ask for category, severity, summary and actions; `nonce` must be unpredictable.

    `items` is how many items of evidence to show, the most telling first; 0 shows none.
    Raises ValueError for a nonce that is too short.
    """
    evidence = choose_evidence(incident.analysis)
    markers = markers_of(nonce, f"{incident.id} {incident.revision}")
    values = {
        "facts": _facts(len(incident.services), incident.count, incident.kinds),
        "data": block(_rows(incident, incident.description, evidence[: max(0, items)]), markers),
    }
    return _prompt(template, values, classify_schema(), markers, items, len(evidence))


def plan_prompt(
    classification: Classification,
    service_info: ServiceInfo | None,
    passages: Sequence[Passage],
    template: PromptTemplate,
    nonce: str,
    items: int = DEFAULT_ITEMS,
) -> Prompt:
    """Ask for a plan that rests on `passages`; raises ValueError where there are none."""
    brief = classification.incident
    analysis = brief.analysis
    if not analysis.evidence and classification.evidence:
        analysis = analysis.model_copy(update={"evidence": classification.evidence})
    evidence = choose_evidence(analysis)
    markers = markers_of(nonce, f"plan {classification.incident_id} {classification.revision}")
    kinds = tuple(dict.fromkeys(anomaly.kind for anomaly in analysis.anomalies))
    judged = f"category {classification.category.value}, severity {classification.severity.value}"
    facts = f"Incident: {judged}. {_facts(len(brief.services), brief.count, kinds)}"
    if service_info is not None:
        facts += f" Platform: {service_info.platform.value}."
    values = {
        "facts": facts,
        "passages": "\n".join(_offer(passage) for passage in passages),
        "data": block(_rows(brief, brief.description, evidence[: max(0, items)]), markers),
    }
    schema = plan_schema([passage.id for passage in passages])
    return _prompt(template, values, schema, markers, items, len(evidence))


def repair_messages(
    prompt: Prompt, text: str, faults: Sequence[str], template: PromptTemplate
) -> tuple[Message, ...]:
    """Return the same question, the answer that failed (made harmless), and what is wrong with it.

    The failed answer may hold what a log line made the model say: it is cleaned like a log line.
    """
    said = harmless(MARKER_PATTERN.sub("(mark)", text), _MAX_REPAIRED) or "{}"
    wrong = "\n".join(f"- {harmless(fault, 200)}" for fault in faults[:_MAX_FAULTS])
    again = template.fill("User", {"faults": wrong or "- It is not a JSON object of this form."})
    return (*prompt.messages, Message("assistant", said), Message("user", again))


def shown_evidence(record: Incident | Classification) -> tuple[ShapeEvidence, ...]:
    """Return the evidence that a question about the record shows."""
    if isinstance(record, Classification):
        return record.incident.analysis.evidence or record.evidence
    return record.analysis.evidence


def _prompt(
    template: PromptTemplate,
    values: Mapping[str, str],
    schema: Mapping[str, object],
    markers: Markers,
    items: int,
    available: int,
) -> Prompt:
    system = Message("system", template.fill("System", {}))
    user = Message("user", template.fill("User", values))
    return Prompt(
        messages=(system, user),
        schema=schema,
        version=template.version,
        name=template.name,
        markers=markers,
        items=min(max(0, items), available),
        items_available=available,
    )


def _facts(services: int, count: int, kinds: Sequence[FindingKind]) -> str:
    """Return what is known without any text of a log: numbers and closed vocabularies."""
    names = ", ".join(kind.value.replace("_", " ") for kind in kinds) or "none"
    return f"Services hit: {services}. Events: {count}. Findings: {names}."


def _rows(
    subject: Incident | IncidentBrief, description: str | None, evidence: Sequence[EvidenceItem]
) -> list[Mapping[str, Plain]]:
    rows: list[Mapping[str, Plain]] = [{"services": list(subject.services[:_MAX_NAMES])}]
    if description:
        rows.append({"reported": description[:_MAX_DESCRIPTION]})
    rows += [item.row for item in evidence]
    if not evidence and not description:
        rows.append({"title": subject.title})
    return rows


def _offer(passage: Passage) -> str:
    kind = "check" if passage.is_check else f"change, risk {passage.risk.value}"
    parts = [f"{passage.id} ({kind}) {passage.text}"]
    if passage.command:
        parts.append(f"command: {passage.command}".replace("\n", "; "))
    parts.append(f"verify: {passage.verification}")
    if not passage.is_check:
        parts.append(f"rollback: {passage.rollback}")
    return " | ".join(parts)
