"""Labelled items for measuring the judge, read from JSON lines.

Comes in: lines with `system`, `examples` (or `template`), `category`, `severity`, optional `also`.
Goes out: items in their order. Promise: a fault names the line, the field, and what it holds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.vocabulary import Category, Severity
from streams.errors import InputError
from training.evaluation.classification import Truth
from training.evaluation.jsonlines import read_objects


@dataclass(frozen=True, slots=True)
class Item:
    """Lines of one service and what they are."""

    service: str
    lines: tuple[str, ...]
    truth: Truth


def read_items(lines: Iterable[str], name: str) -> list[Item]:
    """Return the items; raises InputError at the first line that is not one, or for none at all."""
    return [_item(where, fields) for where, fields in read_objects(lines, name, "items")]


def _item(where: str, fields: Mapping[str, Any]) -> Item:
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
