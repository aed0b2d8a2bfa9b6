"""What training needs of a dataset: questions and right answers.

Comes in: a folder with train.jsonl and perhaps validation.jsonl. Goes out: lessons, and a digest of
the files. Promise: only `messages` and `completion` are needed, so a dataset made elsewhere may be
trained on as well; a line that cannot be used is one sentence with its file and number.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from agents.llm.protocol import Message, Role
from streams.errors import InputError
from training.evaluation.jsonlines import read_objects

TRAIN, VALIDATION = "train.jsonl", "validation.jsonl"
_ROLES = get_args(Role)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A question as a stage sends it, and the JSON text that is to be answered."""

    messages: tuple[Message, ...]
    completion: str


@dataclass(frozen=True, slots=True)
class Lessons:
    """What is trained on, and what decides when to stop."""

    train: tuple[Lesson, ...]
    validation: tuple[Lesson, ...]
    digest: str
    """SHA-256 of the two files."""


def read_lessons(folder: Path) -> Lessons:
    """Read a dataset; raises InputError."""
    train, validation = folder / TRAIN, folder / VALIDATION
    if not train.is_file():
        raise InputError(f"{folder} has no {TRAIN}: make a dataset by `opspilot dataset generate`")
    digest = hashlib.sha256()
    read = []
    for file in (train, validation):
        content = file.read_bytes() if file.is_file() else b""
        digest.update(f"{len(content)} ".encode() + content)
        read.append(_read(content, file))
    if not read[0]:
        raise InputError(f"{train} is empty: make a dataset by `opspilot dataset generate`")
    return Lessons(read[0], read[1], digest.hexdigest())


def _read(content: bytes, file: Path) -> tuple[Lesson, ...]:
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{file} is not UTF-8: write it anew") from None
    if not content.strip():
        return ()
    return tuple(_lesson(where, fields) for where, fields in read_objects(lines, str(file), "data"))


def _lesson(where: str, fields: dict[str, Any]) -> Lesson:
    turns, completion = fields.get("messages"), fields.get("completion")
    if not isinstance(completion, str) or not completion:
        raise InputError(f"{where}: completion is {completion!r}; give the answer's JSON text")
    if not isinstance(turns, list) or not turns:
        raise InputError(f"{where}: messages is {turns!r}; give at least one turn")
    for turn in turns:
        if not isinstance(turn, dict) or turn.get("role") not in _ROLES:
            raise InputError(f"{where}: a turn is {turn!r}; give it a role of {', '.join(_ROLES)}")
        if not isinstance(turn.get("content"), str):
            raise InputError(f"{where}: a turn has no text; give it a content")
    return Lesson(tuple(Message(turn["role"], turn["content"]) for turn in turns), completion)
