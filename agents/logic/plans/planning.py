"""The plan for one judged incident, from the runbook that fits it best.

Comes in: a classification, what is known of the service, the library. Goes out: a RemediationPlan.
Promise: pure; checks come before steps; each step says how to verify and undo it and where it
stands; each command was judged as it is shown; only typed facts enter a command, and a slot without
a fact stays visible.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from agents.logic.plans.choosing import (
    Found,
    choose_runbooks,
    evidence_lines,
    ranked_evidence,
)
from agents.logic.plans.facts import facts_from_lines, merge_facts
from agents.logic.plans.retrieval import RunbookLibrary
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
from schemas.remediation import Citation, CommandVerdict, RemediationPlan, RemediationStep
from schemas.services import Platform, ServiceInfo, ServiceName

MAX_STEPS = 20
"""A plan longer than this is not read by anyone at night."""

_QUIET_MINUTES = 15


def build_plan(
    classification: Classification,
    service_info: ServiceInfo | None,
    library: RunbookLibrary,
    closeness: Mapping[str, float] | None = None,
) -> RemediationPlan:
    """Build the plan of one revision; raises LookupError where the library lacks the category.

    `closeness` says how near the incident is to runbooks in meaning, where that was asked.
    """
    runbooks, found = choose_runbooks(classification, service_info, library, closeness)
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
        sources=tuple(_sources(runbooks, service_info, found)),
        owner=situation.owner,
        judge=Judge(backend="baseline", model="runbooks", variant=classification.judge.variant),
    )


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
    runbooks: Sequence[Runbook], service_info: ServiceInfo | None, found: Found
) -> Iterator[Citation]:
    for runbook in runbooks:
        title = f"{runbook.title}: {found}" if found else runbook.title
        yield Citation(runbook=runbook.id, section="whole", title=shorten(title))
    used = {runbook.id for runbook in runbooks}
    for name in service_info.runbooks if service_info else ():
        if name not in used:
            yield Citation(
                runbook=name, section="service record", title="Named by the owner of the service"
            )
