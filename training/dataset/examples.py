"""One example of what classify asks and should be answered, as it stands in a dataset's files.

Comes in: JSON lines {"id", "split", "family", "messages", "completion", "incident"}. Goes out:
Examples. Promise: `messages` are byte for byte what the stage would send of `incident`, and
`completion` is what it would accept; a fault names file, line and field.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from agents.llm.protocol import Message
from agents.logic.answers.schemas import RawClassifyAnswer
from schemas.incident import Incident
from schemas.vocabulary import Category, Severity
from streams.errors import InputError
from training.evaluation.jsonlines import read_objects


class Split(StrEnum):
    """What an example is for; the files of a dataset are named after it."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"
    CANARY = "canary"


@dataclass(frozen=True, slots=True)
class Example:
    """A question and its right answer; `family` never stands in two splits."""

    id: str
    split: Split
    family: str
    messages: tuple[Message, ...]
    completion: str
    incident: Incident
    """What is asked about: the baseline judges it, and an answer is checked against it."""
    category: Category
    severity: Severity


def file_name(split: Split) -> str:
    """Return the name of a split's file in a dataset's folder."""
    return f"{split.value}.jsonl"


def write_example(example: Example) -> str:
    """Return the example as one line of JSON, without a line break."""
    fields = {
        "id": example.id,
        "split": example.split.value,
        "family": example.family,
        "messages": [{"role": m.role, "content": m.content} for m in example.messages],
        "completion": example.completion,
        "incident": example.incident.model_dump(mode="json", exclude_none=True),
    }
    return json.dumps(fields, separators=(",", ":"))


def read_examples(lines: Iterable[str], name: str) -> list[Example]:
    """Read a split's file; raises InputError at the first line that is no example."""
    return [read_example(where, fields) for where, fields in read_objects(lines, name, "examples")]


def read_example(where: str, fields: dict[str, Any]) -> Example:
    """Read one example; raises InputError that names `where` and the field."""
    try:
        answer = RawClassifyAnswer.model_validate_json(fields["completion"])
        return Example(
            id=_text(fields, "id"),
            split=Split(fields["split"]),
            family=_text(fields, "family"),
            messages=tuple(Message(m["role"], _text(m, "content")) for m in fields["messages"]),
            completion=_text(fields, "completion"),
            incident=Incident.model_validate(fields["incident"]),
            category=answer.category,
            severity=answer.severity,
        )
    except KeyError as error:
        raise InputError(
            f"{where}: has no {error.args[0]!r}; make it by `opspilot dataset`."
        ) from None
    except (ValidationError, ValueError, TypeError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(
            f"{where}: is no example ({why}); make it by `opspilot dataset`."
        ) from None


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be a text, not {value!r}")
    return value
