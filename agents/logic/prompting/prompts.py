"""Prompt files as records, and the prompt that one request carries.

Comes in: the text of a prompt file (front matter, then `## System`, `## User`, `## Repair`).
Goes out: a PromptTemplate, whose version names the exact wording; a Prompt, ready to send.
Promise: pure; a slot is filled once, so what is filled in is never read for slots again.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from agents.llm.protocol import Message
from agents.logic.prompting.quarantine import Markers

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.S)
_SECTION = re.compile(r"^## +(\w+) *$", re.M)
_SLOT = re.compile(r"\{\{(\w+)\}\}")
_DIGEST_LENGTH = 8


class PromptFileError(ValueError):
    """A prompt file cannot be used; the message names file, section and fix."""

    def __init__(self, file: str, section: str, fix: str) -> None:
        super().__init__(f"Prompt {file}, section {section}: {fix}")


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """One prompt file; `version` is name, number and digest of the whole text."""

    name: str
    version: str
    sections: Mapping[str, str]

    def fill(self, section: str, values: Mapping[str, str]) -> str:
        """Return a section with its slots filled; raises KeyError for a slot without a value."""
        return _SLOT.sub(lambda match: values[match.group(1)], self.sections[section])


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question as it is sent; `items_available` is the most that `items` can add."""

    messages: tuple[Message, ...]
    schema: Mapping[str, Any]
    version: str
    name: str
    markers: Markers
    items: int
    items_available: int

    @property
    def text(self) -> str:
        """Return all turns as one text, for counting tokens."""
        return "\n".join(message.content for message in self.messages)


def parse_prompt(text: str, file: str) -> PromptTemplate:
    """Read one prompt file, whose stem must be its name; raises PromptFileError."""
    text = text.replace("\r\n", "\n")
    match = _FRONT_MATTER.match(text)
    if match is None:
        raise PromptFileError(file, "front matter", "begin with a block between two --- lines")
    try:
        head = yaml.safe_load(match.group(1))
    except yaml.YAMLError:
        raise PromptFileError(file, "front matter", "write valid YAML") from None
    if not isinstance(head, dict) or set(head) != {"name", "version"}:
        raise PromptFileError(file, "front matter", "write exactly the keys name and version")
    name, number = head["name"], head["version"]
    if f"{name}.md" != file.rpartition("/")[2]:
        raise PromptFileError(file, "front matter", f"name is {name}; make it the file's name")
    if not isinstance(number, int) or number < 1:
        raise PromptFileError(
            file, "front matter", f"version is {number}; make it a number from 1 on"
        )
    body = text[match.end() :]
    parts = _SECTION.split(body)[1:]
    sections = {
        key: part.strip() for key, part in zip(parts[::2], parts[1::2], strict=True) if part.strip()
    }
    if not sections:
        raise PromptFileError(file, "all", "add at least one section such as ## System")
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]
    return PromptTemplate(name, f"{name}-{number}-{digest}", sections)
