"""One example to train on, and files of them.

Comes in: JSON lines {"id", "messages": [{"role", "content"}], "completion", "family", "split"}.
Goes out: Example records, and back. Promise: pure; a line that cannot be used is one sentence with
its number; what is written reads back the same.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import get_args

from agents.llm.protocol import Message, Role
from streams.errors import InputError

SPLITS = ("train", "validation", "test")
"""A dataset is a folder with one file SPLIT.jsonl each."""
_ROLES = get_args(Role)
_TEXTS = ("id", "completion", "family")


@dataclass(frozen=True, slots=True)
class Example:
    """A question exactly as a judging stage sends it, and the answer it should get."""

    id: str
    messages: tuple[Message, ...]
    completion: str
    """The JSON text that the model is to answer."""
    family: str
    """Examples of one template family never stand in two splits."""
    split: str = "train"


def parse_examples(lines: Iterable[str], name: str = "examples") -> Iterator[Example]:
    """Read JSON lines; blank ones are passed over; raises InputError that names file and line."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError:
            raise InputError(
                f"{name}, line {number}: it is not JSON; write the file anew"
            ) from None
        yield _example(found, f"{name}, line {number}")


def render_examples(examples: Iterable[Example]) -> str:
    """Return the examples as JSON lines."""
    return "".join(_line(example) + "\n" for example in examples)


def _line(example: Example) -> str:
    turns = [{"role": turn.role, "content": turn.content} for turn in example.messages]
    return json.dumps(
        {
            "id": example.id,
            "messages": turns,
            "completion": example.completion,
            "family": example.family,
            "split": example.split,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _example(found: object, where: str) -> Example:
    if not isinstance(found, dict):
        raise InputError(f"{where}: it is not an object; write the file anew")
    for name in _TEXTS:
        if not isinstance(found.get(name), str) or not found[name]:
            raise InputError(f"{where}: {name} is {found.get(name)!r}; give it a text")
    turns = found.get("messages")
    if not isinstance(turns, list) or not turns:
        raise InputError(f"{where}: messages is {turns!r}; give at least one turn")
    split = found.get("split", SPLITS[0])
    if split not in SPLITS:
        raise InputError(f"{where}: split is {split!r}; give one of {', '.join(SPLITS)}")
    messages = tuple(_message(turn, where) for turn in turns)
    return Example(found["id"], messages, found["completion"], found["family"], split)


def _message(turn: object, where: str) -> Message:
    if not isinstance(turn, dict) or turn.get("role") not in _ROLES:
        raise InputError(f"{where}: a turn is {turn!r}; give it a role of {', '.join(_ROLES)}")
    if not isinstance(turn.get("content"), str):
        raise InputError(f"{where}: the content of a turn is not a text; write the file anew")
    return Message(turn["role"], turn["content"])
