"""Why an answer cannot be used, in words that a model can mend it by and a person can read.

Comes in: pydantic errors. Goes out: AnswerError with one sentence per fault.
Promise: no sentence quotes what the model wrote: it may have been dictated by a log line.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel

_MAX_FAULTS = 6
Answer = TypeVar("Answer", bound=BaseModel)


class AnswerError(ValueError):
    """An answer cannot be used; `faults` are sentences naming field and fix."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__(" ".join(faults))
        self.faults = faults


def validated(model: type[Answer], content: Mapping[str, Any]) -> Answer:
    """Read the content as a model; raises AnswerError with each fault."""
    try:
        return model.model_validate(dict(content))
    except ValidationError as error:
        faults = [_sentence(item) for item in error.errors(include_url=False, include_input=False)]
        raise AnswerError(tuple(dict.fromkeys(faults))[:_MAX_FAULTS]) from None
    except (RecursionError, TypeError):
        raise AnswerError(("The answer must be one JSON object of the given form.",)) from None


def _sentence(item: Mapping[str, Any]) -> str:
    known = [part if isinstance(part, int) else to_camel(str(part)) for part in item["loc"]]
    if item["type"] == "extra_forbidden":
        return "Leave out fields that were not asked for."
    where = ".".join(str(part) for part in known) or "the answer"
    if item["type"] == "missing":
        return f"{where} is missing; add it."
    context = item.get("ctx", {})
    if item["type"] == "enum":
        return f"{where} must be one of {context.get('expected', 'the given words')}."
    if item["type"] in {"string_too_long", "too_long"}:
        return f"{where} is too long; shorten it."
    if item["type"] in {"string_type", "string_sub_type"}:
        return f"{where} must be a text."
    if item["type"] in {"int_type", "int_parsing", "int_from_float"}:
        return f"{where} must be a whole number."
    if item["type"] in {"greater_than_equal", "less_than_equal"}:
        return f"{where} is out of range."
    return f"{where} has not the form that was asked for."
