"""The questions of an investigation: which tool next, and what follows from all of them.

Comes in: the case, the steps so far, a prompt template, a nonce, how many rows to show. Goes out:
Prompt. Promise: pure; what logs, tools, faults and the model itself wrote stands between the
markers of this one request; outside stand only this project's words, numbers, closed vocabularies.
"""

from collections.abc import Mapping

from agents.llm.protocol import Message
from agents.logic.investigation.concluding import Case, conclusion_schema
from agents.logic.investigation.inquiry import Done, Inquiry
from agents.logic.investigation.moves import CONCLUDE, DESCRIPTIONS, move_schema, short_names
from agents.logic.prompting.evidence import choose_evidence
from agents.logic.prompting.prompts import Prompt, PromptTemplate
from agents.logic.prompting.quarantine import Plain, block, markers_of

MAX_ROWS_SHOWN = 48
"""Rows of evidence to begin with; the caller lowers it until the prompt fits."""
_OWN_ROWS = 6
_MAX_DESCRIPTION = 400
_NO_TEXT = "(none)"

Row = Mapping[str, Plain]


def investigate_prompt(
    case: Case,
    inquiry: Inquiry,
    template: PromptTemplate,
    nonce: str,
    *,
    conclude: bool,
    items: int = MAX_ROWS_SHOWN,
) -> Prompt:
    """Ask for the next step or the conclusion; raises ValueError for a nonce that is too short.

    `items` rows of evidence are shown: first the most telling ones of the incident, then those of
    the steps, the latest step first. What was asked and its one sentence always stands.
    """
    incident = case.incident
    markers = markers_of(nonce, f"investigate {incident.id} {incident.revision}")
    named = {name: alias for alias, name in short_names(case.services).items()}
    ranked = _ranked_rows(case, inquiry)
    shown = frozenset(id(row) for row in ranked[: max(0, items)])
    rows = [*_head(case, named), *(row for row in _own_rows(ranked) if id(row) in shown)]
    for done in inquiry.done:
        rows.append(_step_row(done, named))
        number = done.record.number
        rows += [row for row in ranked if id(row) in shown and row.get("step") == number]
    values = {
        "facts": _facts(case),
        "data": block(rows, markers),
        "state": _state(inquiry),
    }
    offered = _may_conclude(inquiry)
    schema = (
        conclusion_schema()
        if conclude
        else move_schema(case.tools, case.services, may_conclude=offered)
    )
    system = Message("system", template.fill("System", {"tools": _tools(case, offered)}))
    user = Message("user", template.fill("Conclude" if conclude else "User", values))
    return Prompt(
        messages=(system, user),
        schema=schema,
        version=template.version,
        name="conclude" if conclude else template.name,
        markers=markers,
        items=min(max(0, items), len(ranked)),
        items_available=len(ranked),
    )


def _ranked_rows(case: Case, inquiry: Inquiry) -> list[Row]:
    """Return all rows that may be left out, the most telling first."""
    own: list[Row] = [dict(item.row) for item in choose_evidence(case.incident.analysis)]
    rows = own[:_OWN_ROWS]
    for done in reversed(inquiry.done):
        if done.observation is not None:
            rows += [{"step": done.record.number, **row} for row in done.observation.shown]
    return rows


def _own_rows(ranked: list[Row]) -> list[Row]:
    return [row for row in ranked if "step" not in row]


def _head(case: Case, named: Mapping[str, str]) -> list[Row]:
    rows: list[Row] = [{"service": alias, "name": name} for name, alias in named.items()]
    incident = case.incident
    rows.append({"title": incident.title})
    if incident.description:
        rows.append({"reported": incident.description[:_MAX_DESCRIPTION]})
    if case.verdict is not None:
        rows.append({"summary": case.verdict.summary})
    return rows


def _step_row(done: Done, named: Mapping[str, str]) -> Row:
    step = done.record
    arguments = [
        f"{name} {named.get(str(value), value) if name == 'service' else value}"
        for name, value in step.arguments.items()
    ]
    row: dict[str, Plain] = {"step": step.number, "tool": step.tool or _NO_TEXT, "asked": arguments}
    if step.thought:
        row["thought"] = step.thought
    row["fault" if step.fault else "showed"] = step.fault or step.observation
    return row


def _facts(case: Case) -> str:
    incident = case.incident
    kinds = ", ".join(kind.value.replace("_", " ") for kind in incident.kinds) or "none"
    minutes = max(0, incident.updated_ms - incident.opened_ms) / 60_000
    facts = (
        f"Services hit: {len(incident.services)}. Events: {incident.count}. Findings: {kinds}. "
        f"Lasted {minutes:.0f} minutes so far."
    )
    if case.verdict is not None:
        verdict = case.verdict
        facts += f" Judged: category {verdict.category.value}, severity {verdict.severity.value}."
    return facts


def _state(inquiry: Inquiry) -> str:
    left = max(0, inquiry.budget.steps - inquiry.tools_used)
    return f"Steps taken: {len(inquiry.done)}. Tools that may still be used: {left}."


def _tools(case: Case, may_conclude: bool) -> str:
    lines = [f"- {tool.value}: {DESCRIPTIONS[tool]}" for tool in case.tools]
    if may_conclude:
        lines.append(f"- {CONCLUDE}: end here; the conclusion is asked for next")
    return "\n".join(lines)


def _may_conclude(inquiry: Inquiry) -> bool:
    return inquiry.has_seen
