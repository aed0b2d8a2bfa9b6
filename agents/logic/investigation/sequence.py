"""The fixed sequence of tools with which an incident is looked into without a model.

Comes in: the case, the calls made so far. Goes out: the next call, or none. Promise: pure; it goes
on where a model stopped without asking again what that one asked; it always ends.
Order: what changed, where and when, was it there before, what helps, what do the metrics say.
"""

from collections.abc import Iterator, Sequence

from agents.logic.investigation.concluding import Case
from agents.logic.investigation.moves import (
    DEFAULT_MINUTES,
    MAX_QUERY,
    Tool,
    ToolCall,
)

ALERTS_QUERY = 'count by (alertname, severity) (ALERTS{alertstate="firing"})'
"""What a Prometheus itself found wrong: the one query that every one of them can answer."""
_OTHERS = 2
_TEXTS = 6


def next_call(case: Case, made: Sequence[ToolCall]) -> ToolCall | None:
    """Return the next call of the sequence whose tool has not seen its service yet."""
    known = {(call.tool, call.service) for call in made}
    return next((c for c in _calls(case) if (c.tool, c.service) not in known), None)


def _calls(case: Case) -> Iterator[ToolCall]:
    own = case.incident.service
    yield ToolCall(Tool.COMPARE, own, minutes=DEFAULT_MINUTES)
    yield ToolCall(Tool.TEMPLATES, own, minutes=DEFAULT_MINUTES)
    yield ToolCall(Tool.WINDOWS, own, minutes=DEFAULT_MINUTES)
    for service in [name for name in case.services if name != own][:_OTHERS]:
        yield ToolCall(Tool.COMPARE, service, minutes=DEFAULT_MINUTES)
    yield ToolCall(Tool.SIMILAR)
    yield ToolCall(Tool.RUNBOOKS, text=runbook_words(case))
    if Tool.METRICS in case.tools:
        yield ToolCall(Tool.METRICS, text=ALERTS_QUERY, minutes=DEFAULT_MINUTES)


def runbook_words(case: Case) -> str:
    """Return the words of the incident by which a runbook is looked for."""
    shapes = [shape.shape for shape in case.incident.analysis.evidence[:_TEXTS]]
    texts = [case.incident.description or "", *shapes]
    words = " ".join(text for text in texts if text) or case.incident.title
    return words[:MAX_QUERY]
