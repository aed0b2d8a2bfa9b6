"""Looks for people and secrets in what is about to be trained on.

Comes in: the lines of a dataset's files. Goes out: Traces: file, line, kind. Promise: pure; the
patterns are not those that redaction uses, and redaction is asked as well: what one overlooks, the
other may see; a trace never repeats what was found.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from streams.errors import InputError
from streams.ingest.redact import Redactor, luhn

_SHOWN = 10
_PATTERNS = {
    "e-mail address": re.compile(r"[A-Za-z0-9_.+-]{2,}@[A-Za-z0-9-]{2,}\.[A-Za-z]{2,}"),
    "private key": re.compile(r"BEGIN [A-Z ]*PRIVATE KEY"),
    "token": re.compile(
        r"\beyJ[\w-]{10,}\.[\w-]{10,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_\w{20,}"
        r"|\bxox[abprs]-[\w-]{10,}|\bhf_[A-Za-z0-9]{20,}"
    ),
    "bank account": re.compile(r"\b[A-Z]{2}\d{2} ?(?:[A-Z0-9]{4} ?){3,7}[A-Z0-9]{1,4}\b"),
    "telephone number": re.compile(
        r"(?<![\w+])\+\d{1,3}[ -]\(?\d{2,4}\)?[ -]\d{3,4}[ -]?\d{2,5}\b"
    ),
    "social security number": re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"),
}
_CARD = re.compile(
    r"(?<![\w.-])(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}|\d{4}[ -]\d{6}[ -]\d{5})(?![\w.-])"
)
_OWN_ID = re.compile(r"[0-9a-f]{16}")
"""An id of our own (schemas/ids.py): a hash, whose digits may look like a card's by chance."""
_REDACTED = "what redaction removes"


class PrivacyError(InputError):
    """The dataset holds people or secrets; the message names file, line and kind."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Where something was found, and what kind of thing."""

    file: str
    line: int
    kind: str


def traces(lines: Iterable[str], file: str) -> Iterator[Trace]:
    """Yield what each line holds, each kind once a line."""
    redactor = Redactor()
    for number, line in enumerate(lines, start=1):
        for kind in _kinds(line, redactor):
            yield Trace(file, number, kind)


def require_none(found: Iterable[Trace]) -> None:
    """Raise PrivacyError that lists the first traces, if there are any."""
    listed = list(found)
    if not listed:
        return
    shown = "; ".join(f"{one.file}, line {one.line}: {one.kind}" for one in listed[:_SHOWN])
    more = f"; and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    raise PrivacyError(f"nothing was written: the examples hold people or secrets: {shown}{more}")


def _kinds(line: str, redactor: Redactor) -> Iterator[str]:
    found = False
    for kind, pattern in _PATTERNS.items():
        if pattern.search(line):
            found = True
            yield kind
    for card in _CARD.finditer(line):
        digits = re.sub(r"\D", "", card.group())
        if digits[0] in "23456" and luhn(digits):
            found = True
            yield "payment card"
            break
    # Text by text: beside JSON's own signs a harmless word can look like an assignment.
    texts = (text.replace("\u2039", "<") for text in _texts(line))
    if not found and any(redactor.redact(text) != text for text in texts):
        yield _REDACTED


def _texts(line: str) -> Iterator[str]:
    """Yield the texts in a line of JSON, but for the questions, which are made of the others."""
    try:
        fields = json.loads(line)
    except json.JSONDecodeError:
        yield line
        return
    pending = [value for name, value in fields.items() if name != "messages"]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            if _OWN_ID.fullmatch(value) is None:
                yield value
        elif isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, list):
            pending += value
