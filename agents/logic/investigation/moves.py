"""The tools an investigation may use, what a model must answer to use one, and how that is read.

Comes in: a JSON object. Goes out: a ToolCall, a wish to conclude, or sentences that say what is
wrong. Promise: pure; every tool only reads; a call that is returned has valid, bounded arguments;
services are named by this project's own short names, so no name from a log stands in a schema.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.logic.answers.faults import AnswerError, validated
from agents.logic.answers.text import plain_text
from agents.logic.prompting.characters import visible

CONCLUDE: Literal["conclude"] = "conclude"
MAX_THOUGHT = 240
MAX_QUERY = 300
MAX_MINUTES = 720
MAX_SERVICES = 8
DEFAULT_MINUTES = 60
_LENIENCE = 8


class Tool(StrEnum):
    """What can be asked; nothing here changes anything."""

    COMPARE = "compare_periods"
    TEMPLATES = "search_templates"
    WINDOWS = "list_windows"
    SIMILAR = "similar_incidents"
    RUNBOOKS = "search_runbooks"
    METRICS = "query_prometheus"


DESCRIPTIONS: Mapping[Tool, str] = {
    Tool.COMPARE: "service, minutes: what changed against so many minutes before the incident",
    Tool.TEMPLATES: (
        "service, text, minutes: message templates that hold the words of text, from so many "
        "minutes before the incident to its end; without text the warnings and errors"
    ),
    Tool.WINDOWS: "service, minutes: lines and errors over time, and what was found unusual",
    Tool.SIMILAR: "earlier incidents like this one, and what fixed them",
    Tool.RUNBOOKS: "text: runbooks that fit these words",
    Tool.METRICS: "text, minutes: a PromQL query over that time and the incident",
}
_NEEDS_SERVICE = frozenset({Tool.COMPARE, Tool.TEMPLATES, Tool.WINDOWS})
_NEEDS_TEXT = frozenset({Tool.RUNBOOKS, Tool.METRICS})
_TAKES_TEXT = _NEEDS_TEXT | {Tool.TEMPLATES}
_TAKES_MINUTES = _NEEDS_SERVICE | {Tool.METRICS}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One valid use of one tool; what a tool does not take is empty."""

    tool: Tool
    service: str = ""
    text: str = ""
    minutes: int = 0

    @property
    def arguments(self) -> dict[str, str | int]:
        """Return what a record shows."""
        named: dict[str, str | int] = {
            "service": self.service, "text": self.text, "minutes": self.minutes,
        }  # fmt: skip
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class Move:
    """What a model wants next; without a call it wants to conclude."""

    thought: str
    call: ToolCall | None


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _RawArguments(_Given):
    service: Annotated[str, Field(max_length=64)] = ""
    text: Annotated[str, Field(max_length=MAX_QUERY * _LENIENCE)] = ""
    minutes: int = 0


class _RawMove(_Given):
    thought: Annotated[str, Field(max_length=MAX_THOUGHT * _LENIENCE)] = ""
    tool: Annotated[str, Field(max_length=64)]
    arguments: _RawArguments = _RawArguments()


def short_names(services: Sequence[str]) -> dict[str, str]:
    """Give each of at most `MAX_SERVICES` services the name by which a model asks for it."""
    return {f"s{number}": name for number, name in enumerate(services[:MAX_SERVICES], 1)}


def move_schema(
    tools: Sequence[Tool], services: Sequence[str], *, may_conclude: bool
) -> Mapping[str, Any]:
    """Return the schema of one step; the grammar offers only what may be chosen now."""
    choices = [tool.value for tool in tools] + ([CONCLUDE] if may_conclude else [])
    arguments = {
        "service": {"type": "string", "enum": list(short_names(services))},
        "text": {"type": "string", "maxLength": MAX_QUERY},
        "minutes": {"type": "integer", "minimum": 0, "maximum": MAX_MINUTES},
    }
    return object_schema(
        {
            "thought": {"type": "string", "maxLength": MAX_THOUGHT},
            "tool": {"type": "string", "enum": choices},
            "arguments": object_schema(arguments),
        }
    )


def object_schema(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an object that has exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def read_move(
    content: Mapping[str, Any],
    tools: Sequence[Tool],
    services: Sequence[str],
    *,
    may_conclude: bool,
) -> Move:
    """Read one step; raises AnswerError whose sentences a model can mend it by."""
    raw = validated(_RawMove, content)
    thought = plain_text(raw.thought, MAX_THOUGHT)
    wanted = raw.tool.strip().lower()
    if wanted == CONCLUDE:
        if not may_conclude:
            raise AnswerError(("tool may not be conclude yet; use a tool first.",))
        return Move(thought, None)
    if wanted not in tuple(tools):
        choices = ", ".join(tool.value for tool in tools)
        raise AnswerError((f"tool names none that there is; choose one of {choices}.",))
    return Move(thought, _call(Tool(wanted), raw.arguments, short_names(services)))


def _call(tool: Tool, raw: _RawArguments, names: Mapping[str, str]) -> ToolCall:
    faults = []
    service, text, minutes = "", "", 0
    if tool in _NEEDS_SERVICE:
        service = names.get(raw.service.strip().lower(), "")
        if not service:
            faults.append(f"arguments.service must be one of {', '.join(names)}.")
    if tool in _TAKES_TEXT:
        text = visible(raw.text)
        if len(text) > MAX_QUERY:
            faults.append(f"arguments.text may have {MAX_QUERY} characters; shorten it.")
        elif tool in _NEEDS_TEXT and not text:
            faults.append(f"arguments.text is empty; {tool.value} needs words to look for.")
    if tool in _TAKES_MINUTES:
        minutes = raw.minutes or DEFAULT_MINUTES
        if not 1 <= minutes <= MAX_MINUTES:
            faults.append(f"arguments.minutes must lie in 1 to {MAX_MINUTES}.")
    if faults:
        raise AnswerError(tuple(faults))
    return ToolCall(tool, service, text, minutes)
