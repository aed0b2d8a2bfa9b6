"""The plan for one judged incident, from the runbook that fits it best.

Comes in: a classification, what is known of the service, the library. Goes out: a RemediationPlan.
Promise: pure; checks come before steps; each step says how to verify and undo it and where it
stands; each command was judged as it is shown; only typed facts enter a command, and a slot without
a fact stays visible.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from agents.logic.plans.facts import LINE_MAX_CHARS, facts_from_lines, merge_facts
from agents.logic.plans.retrieval import Match, Query, RunbookLibrary
from agents.logic.plans.runbooks import Runbook
from agents.logic.plans.steps import (
    Situation,
    fill_text,
    introduction,
    render_section,
    shorten,
)
from agents.logic.plans.telling import telling_evidence
from schemas.classification import Classification, Judge
from schemas.finding import ShapeEvidence
from schemas.remediation import Citation, CommandVerdict, RemediationPlan, RemediationStep
from schemas.services import Platform, ServiceInfo, ServiceName
from schemas.vocabulary import Category

MAX_STEPS = 20
"""A plan longer than this is not read by anyone at night."""

_EVIDENCE_SHAPES = 8
_EXAMPLES_PER_SHAPE = 3
_QUIET_MINUTES = 15
_SECOND_SHARE = 0.85
"""A second runbook is added from this share of the first one's score on."""


def build_plan(
    classification: Classification, service_info: ServiceInfo | None, library: RunbookLibrary
) -> RemediationPlan:
    """Build the plan of one revision; raises LookupError where the library lacks the category."""
    runbooks, is_generic = choose_runbooks(classification, service_info, library)
    situation = describe_situation(classification, service_info, runbooks[0])
    main = runbooks[0]
    steps = list(introduction(situation, main))
    for position, runbook in enumerate(runbooks):
        most = MAX_STEPS if position == 0 else 2
        steps += render_section(runbook, "Checks", runbook.checks[:most], situation)
    for position, runbook in enumerate(runbooks):
        most = MAX_STEPS if position == 0 else 2
        steps += render_section(runbook, "Steps", runbook.steps[:most], situation)
    steps = steps[:MAX_STEPS]
    return RemediationPlan(
        incident_id=classification.incident_id,
        revision=classification.revision,
        service=classification.incident.service,
        title=shorten(
            f"{main.title} ({ServiceName.parse(classification.incident.service).service})"
        ),
        category=classification.category,
        severity=classification.severity,
        steps=tuple(steps),
        estimated_time=sum((runbook.estimated for runbook in runbooks[1:]), timedelta()) / 2
        + main.estimated,
        risks=tuple(_risks(classification, runbooks, situation, steps)),
        success_criteria=tuple(_success(runbooks, situation)),
        rollback_plan=_rollback_plan(runbooks, steps),
        sources=tuple(_sources(runbooks, service_info, is_generic=is_generic)),
        owner=situation.owner,
        judge=Judge(backend="baseline", model="runbooks", variant=classification.judge.variant),
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


def describe_situation(
    classification: Classification, service_info: ServiceInfo | None, runbook: Runbook
) -> Situation:
    """Gather the typed facts; what people declared goes before what stands in lines."""
    ranked = ranked_evidence(classification)
    telling = telling_evidence(ranked, runbook)
    lines = evidence_lines(classification, telling)
    # The line that tells best gives its facts first; others fill what it leaves open.
    found = merge_facts(
        *(facts_from_lines(evidence_lines(classification, (one,))) for one in telling)
    )
    name = ServiceName.parse(classification.incident.service)
    platform = service_info.platform if service_info else Platform.UNKNOWN
    if platform is Platform.UNKNOWN:
        platform = _platform_of(found)
    declared = {"service": name.service}
    if platform is Platform.KUBERNETES:
        declared |= {"namespace": name.namespace, "deployment": name.service}
    if platform is Platform.SYSTEMD:
        declared |= {"unit": name.service}
    ties = dict(tie.split(":", 1) for tie in reversed(classification.incident.ties) if ":" in tie)
    peer = ties.get("peer") or ties.get("host", "")
    # A tie that only a line beside the problem names is no more to be trusted than that line.
    known = (*ranked, *classification.incident.analysis.evidence)
    aside = set(evidence_lines(classification, known)) - set(lines)
    tied = {"host": "" if any(peer in line for line in aside) else peer}
    facts = (
        merge_facts(declared, found, tied)
        if platform is Platform.KUBERNETES
        else merge_facts(found, declared, tied)
    )
    return Situation(
        service=classification.incident.service,
        platform=platform,
        facts=facts,
        shape=ranked[0].shape_id if ranked else "unknown",
        owner=service_info.owner if service_info else None,
        dependencies=service_info.dependencies if service_info else (),
    )


def _platform_of(found: Mapping[str, str]) -> Platform:
    if "pod" in found:
        return Platform.KUBERNETES
    return Platform.SYSTEMD if "unit" in found else Platform.UNKNOWN


def choose_runbooks(
    classification: Classification, service_info: ServiceInfo | None, library: RunbookLibrary
) -> tuple[list[Runbook], bool]:
    """Return the runbooks to follow, and whether they are only the generic one of the category."""
    brief = classification.incident
    query = Query(
        text="\n".join(_told(classification)),
        lines=_voices(ranked_evidence(classification)),
        category=classification.category,
        subcategory=classification.subcategory,
        service=ServiceName.parse(brief.service).service,
        preferred=frozenset(service_info.runbooks if service_info else ()),
    )
    good = _good_matches(query, library)
    if not good:
        return [_generic(classification.category, library)], True
    # A second runbook must be shown by the lines of the same problem, not by what stands beside.
    telling = telling_evidence(ranked_evidence(classification), good[0].runbook)
    told = "\n".join(_told(classification, telling))
    again = _good_matches(replace(query, text=told, lines=_voices(telling)), library)
    others = [match for match in again if match.runbook is not good[0].runbook]
    second = [match for match in others[:1] if _is_second(good[0], match)]
    return [good[0].runbook, *(match.runbook for match in second)], False


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


def _good_matches(query: Query, library: RunbookLibrary) -> list[Match]:
    matches = library.search(query, limit=5)
    good = [match for match in matches if match.is_good or match.runbook.id in query.preferred]
    return [match for match in good if match.has_category] or good


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


def _risks(
    classification: Classification,
    runbooks: Sequence[Runbook],
    situation: Situation,
    steps: Sequence[RemediationStep],
) -> Iterator[str]:
    for runbook in runbooks:
        yield from (shorten(fill_text(risk, situation.facts)) for risk in runbook.risks)
    if classification.abstained:
        yield (
            f"The category is uncertain (confidence {classification.confidence:.2f}):"
            " confirm the cause with the checks before any step."
        )
    if len(classification.incident.services) > 1:
        names = ", ".join(classification.incident.services[:8])
        yield shorten(f"Several services are involved, so a step may hit all of them: {names}.")
    blocked = sum(
        1 for step in steps if step.command and step.command.verdict is CommandVerdict.BLOCKED
    )
    if blocked:
        yield f"{blocked} command(s) of this plan are blocked by the policy: do not run them."


def _success(runbooks: Sequence[Runbook], situation: Situation) -> Iterator[str]:
    # The line is named and not quoted: whoever wrote it must not write in the plan.
    yield shorten(
        f"No new line like the first of the evidence (shape {situation.shape}) from"
        f" {situation.service} for {_QUIET_MINUTES} minutes."
    )
    for runbook in runbooks:
        yield from (shorten(fill_text(line, situation.facts)) for line in runbook.success)


def _rollback_plan(runbooks: Sequence[Runbook], steps: Sequence[RemediationStep]) -> str:
    undo = [
        f"{number}: {step.rollback}"
        for number, step in enumerate(steps, start=1)
        if step.source and step.source.section.startswith("Steps")
    ]
    words = [runbook.rollback for runbook in runbooks]
    if undo:
        words.append("Undo what was done in reverse order. Step " + " Step ".join(reversed(undo)))
    return " ".join(words)


def _sources(
    runbooks: Sequence[Runbook], service_info: ServiceInfo | None, *, is_generic: bool
) -> Iterator[Citation]:
    for runbook in runbooks:
        title = runbook.title
        if is_generic:
            title = f"{title}: used since no specific runbook matches this incident well enough"
        yield Citation(runbook=runbook.id, section="whole", title=shorten(title))
    used = {runbook.id for runbook in runbooks}
    for name in service_info.runbooks if service_info else ():
        if name not in used:
            yield Citation(
                runbook=name, section="service record", title="Named by the owner of the service"
            )
