"""Labelled items for measuring the judge, read from JSON lines.

Comes in: lines with `system`, `examples` (or `template`), `category`, `severity`, optional `also`.
Goes out: items in their order. Promise: a fault names the line, the field, and what it holds.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from schemas.vocabulary import Category, Severity
from streams.errors import InputError
from training.evaluation.classification import Truth


@dataclass(frozen=True, slots=True)
class Item:
    """Lines of one service and what they are."""

    service: str
    lines: tuple[str, ...]
    truth: Truth


def read_items(lines: Iterable[str], name: str) -> list[Item]:
    """Return the items; raises InputError at the first line that is not one, or for none at all."""
    items = [
        _item(line, f"{name}, line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    if not items:
        raise InputError(f"{name} holds no items: give a file of JSON lines.")
    return items


def _item(line: str, where: str) -> Item:
    try:
        fields: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not JSON ({error.msg}).") from None
    if not isinstance(fields, dict):
        raise InputError(f"{where}: must be a JSON object, not {line.strip()[:40]!r}.")
    texts = fields.get("examples") or [fields.get("template")]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InputError(f"{where}: needs `examples`, a list of strings, or `template`, a string.")
    also = fields.get("also") or []
    if not isinstance(also, list):
        raise InputError(f"{where}: `also` must be a list of categories, not {also!r}.")
    return Item(
        service=str(fields.get("system", "")),
        lines=tuple(texts),
        truth=Truth(
            category=_category(fields.get("category"), where),
            severity=_severity(fields.get("severity"), where),
            also=frozenset(_category(name, where) for name in also),
        ),
    )


def _category(value: Any, where: str) -> Category:
    if value not in set(Category):
        known = ", ".join(Category)
        raise InputError(f"{where}: category {value!r} is unknown; use one of {known}.")
    return Category(value)


def _severity(value: Any, where: str) -> Severity:
    if value not in set(Severity):
        known = ", ".join(Severity)
        raise InputError(f"{where}: severity {value!r} is unknown; use one of {known}.")
    return Severity(value)
