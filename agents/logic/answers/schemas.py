"""What a model must answer: pydantic models, and the JSON Schemas that servers enforce.

Promise: the schemas have `properties` at their root and use only what TGI's and vLLM's grammars
and llama.cpp's converter read: type, enum, properties, required, maxLength, maxItems, minItems,
additionalProperties, minimum, maximum; no references, no patterns, no unions.
Order is meaning: a grammar makes the model write the properties in this order.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from schemas.remediation import Risk
from schemas.vocabulary import Category, Severity

MAX_SUMMARY = 300
MAX_ACTION = 160
MAX_ACTIONS = 4
MAX_STEPS = 8
MAX_DESCRIPTION = 240
MAX_COMMAND = 200
MAX_CHECK = 160
MAX_NOTES = 4
MAX_ROLLBACK = 300
MAX_MINUTES = 480
_LENIENCE = 8
"""A server without a grammar may write more than it should: it is cut, up to this many times."""


class _Answer(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        allow_inf_nan=False,
    )


def _text(most: int) -> Any:
    return Field(strict=True, max_length=most * _LENIENCE)


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


class RawClassifyAnswer(_Answer):
    """The answer to classify, as it came."""

    category: Category
    severity: Severity
    summary: Annotated[str, _text(MAX_SUMMARY)]
    suggested_actions: Annotated[
        tuple[Annotated[str, _text(MAX_ACTION)], ...], Field(max_length=MAX_ACTIONS * _LENIENCE)
    ]

    @field_validator("category", mode="before")
    @classmethod
    def _spelt_as_ours(cls, value: object) -> object:
        known = {category.value.lower(): category for category in Category}
        return known.get(value.strip().lower(), value) if isinstance(value, str) else value

    @field_validator("severity", mode="before")
    @classmethod
    def _lower_case(cls, value: object) -> object:
        return _lower(value)


class RawPlanStep(_Answer):
    """One step of a plan, as it came."""

    source: Annotated[str, Field(strict=True, max_length=16)]
    description: Annotated[str, _text(MAX_DESCRIPTION)]
    command: Annotated[str, _text(MAX_COMMAND)] | None = None
    verification: Annotated[str, _text(MAX_CHECK)] = ""
    rollback: Annotated[str, _text(MAX_CHECK)] = ""
    risk: Risk

    @field_validator("risk", mode="before")
    @classmethod
    def _lower_case(cls, value: object) -> object:
        return _lower(value)


class RawPlanAnswer(_Answer):
    """The answer to recommend, as it came."""

    steps: Annotated[tuple[RawPlanStep, ...], Field(min_length=1, max_length=MAX_STEPS * _LENIENCE)]
    estimated_minutes: Annotated[int, Field(ge=1, le=MAX_MINUTES * _LENIENCE)]
    risks: Annotated[tuple[Annotated[str, _text(MAX_CHECK)], ...], Field(max_length=32)]
    success_criteria: Annotated[tuple[Annotated[str, _text(MAX_CHECK)], ...], Field(max_length=32)]
    rollback_plan: Annotated[str, _text(MAX_ROLLBACK)]


def _string(most: int) -> dict[str, Any]:
    return {"type": "string", "maxLength": most}


def _strings(length: int, most: int) -> dict[str, Any]:
    return {"type": "array", "items": _string(length), "maxItems": most}


def _choice(values: Sequence[str]) -> dict[str, Any]:
    return {"type": "string", "enum": [str(value) for value in values]}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def classify_schema() -> Mapping[str, Any]:
    """Return the schema of a classify answer."""
    return _object(
        {
            "category": _choice(tuple(Category)),
            "severity": _choice(tuple(Severity)),
            "summary": _string(MAX_SUMMARY),
            "suggestedActions": _strings(MAX_ACTION, MAX_ACTIONS),
        }
    )


def plan_schema(sources: Sequence[str]) -> Mapping[str, Any]:
    """Return the schema of a plan answer that may cite only `sources`.

    `command` is a string, empty for none: a union with null is what some grammars cannot read.
    """
    if not sources:
        raise ValueError("sources is empty; offer at least one passage")
    step = _object(
        {
            "source": _choice(sources),
            "description": _string(MAX_DESCRIPTION),
            "command": _string(MAX_COMMAND),
            "verification": _string(MAX_CHECK),
            "rollback": _string(MAX_CHECK),
            "risk": _choice(tuple(Risk)),
        }
    )
    return _object(
        {
            "steps": {"type": "array", "items": step, "minItems": 1, "maxItems": MAX_STEPS},
            "estimatedMinutes": {"type": "integer", "minimum": 1, "maximum": MAX_MINUTES},
            "risks": _strings(MAX_CHECK, MAX_NOTES),
            "successCriteria": _strings(MAX_CHECK, MAX_NOTES),
            "rollbackPlan": _string(MAX_ROLLBACK),
        }
    )
