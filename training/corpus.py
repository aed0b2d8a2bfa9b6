"""The labelled log events that the baseline judge is trained on, read and checked.

Comes in: the YAML files of `training/events`. Goes out: events, in one order, and their digest.
Promise: nothing wrong is trained on; every fault is named with file, product and line, all at once.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import yaml

from schemas.vocabulary import Category, Severity
from streams.errors import InputError

ROUTINE = "Routine"
NO_SEVERITY = "none"
LEAST_PER_CATEGORY = 150
"""Fewer events of a category than this teach a linear model its products, not its meaning."""
_FAULTS_SHOWN = 20


class CorpusError(InputError):
    """The events cannot be trained on; the message lists what is wrong and where."""


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One labelled line; `category` and `severity` are None for a routine line."""

    product: str
    category: Category | None
    severity: Severity | None
    subcategory: str
    line: str
    source: str


def load_events(
    folder: Traversable | None = None, *, least_per_category: int = LEAST_PER_CATEGORY
) -> list[Event]:
    """Return all events of a folder (by default the committed ones), sorted by file name.

    Raises CorpusError naming every fault: unknown words, empty lines, duplicates, thin categories.
    """
    place = folder if folder is not None else resources.files("training") / "events"
    events: list[Event] = []
    faults: list[str] = []
    files = sorted((f for f in place.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    for file in files:
        found, wrong = parse_events(file.read_text(encoding="utf-8"), file.name)
        events += found
        faults += wrong
    faults += duplicates(events)
    faults += thin_categories(events, least_per_category)
    if faults:
        shown = "\n  ".join(faults[:_FAULTS_SHOWN])
        more = len(faults) - _FAULTS_SHOWN
        rest = f"\n  and {more} more" if more > 0 else ""
        raise CorpusError(f"the training events have {len(faults)} faults:\n  {shown}{rest}")
    return events


def parse_events(text: str, source: str) -> tuple[list[Event], list[str]]:
    """Return the events of one file and what is wrong with it; never raises on bad content."""
    try:
        groups: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return [], [f"{source}: not YAML: {' '.join(str(error).split())}"]
    if not isinstance(groups, list):
        return [], [f"{source}: must be a list of groups with product, category and events"]
    events: list[Event] = []
    faults: list[str] = []
    for number, group in enumerate(groups, start=1):
        found, wrong = _parse_group(group, f"{source}: group {number}", source)
        events += found
        faults += wrong
    return events, faults


def _parse_group(group: Any, where: str, source: str) -> tuple[list[Event], list[str]]:
    """Read one group; a fault in one event does not hide those of the next."""
    if not isinstance(group, dict) or not {"product", "category", "events"} <= group.keys():
        return [], [f"{where}: needs product, category and events"]
    product, category = str(group["product"]), group["category"]
    where = f"{where} ({product})"
    if category != ROUTINE and category not in set(Category):
        known = ", ".join([*Category, ROUTINE])
        return [], [f"{where}: unknown category {category!r}; use one of {known}"]
    events: list[Event] = []
    faults: list[str] = []
    for item in group["events"] or []:
        if not isinstance(item, list) or len(item) != 3:
            faults.append(f"{where}: {item!r} must be [severity, subcategory, line]")
            continue
        severity, subcategory, line = (str(part) for part in item)
        fault = _fault_of(category, severity, subcategory, line)
        if fault:
            faults.append(f"{where}: {fault} in {line[:80]!r}")
            continue
        events.append(
            Event(
                product=product,
                category=None if category == ROUTINE else Category(category),
                severity=None if category == ROUTINE else Severity(severity),
                subcategory=subcategory,
                line=line.strip(),
                source=source,
            )
        )
    return events, faults


def _fault_of(category: str, severity: str, subcategory: str, line: str) -> str:
    """Return what is wrong with one event, or an empty string."""
    if not line.strip():
        return "empty line"
    if not subcategory.strip():
        return "empty subcategory"
    if category == ROUTINE:
        return "" if severity == NO_SEVERITY else f"severity {severity!r} on a routine line"
    if severity not in set(Severity):
        return f"unknown severity {severity!r}; use one of {', '.join(Severity)}"
    return ""


def duplicates(events: Sequence[Event]) -> list[str]:
    """Return a fault for every line that stands twice: it would count double and leak in folds."""
    first: dict[str, Event] = {}
    faults = []
    for event in events:
        key = " ".join(event.line.lower().split())
        other = first.setdefault(key, event)
        if other is not event:
            faults.append(
                f"{event.source} ({event.product}): stands already in {other.source} "
                f"({other.product}): {event.line[:80]!r}"
            )
    return faults


def thin_categories(events: Iterable[Event], least: int) -> list[str]:
    """Return a fault for every category, and for routine lines, with too few events."""
    counts = Counter(event.category or ROUTINE for event in events)
    return [
        f"category {name} has {counts[name]} events, at least {least} are needed"
        for name in [*Category, ROUTINE]
        if counts[name] < least
    ]


def digest_of(events: Iterable[Event]) -> str:
    """Return a SHA-256 over what is trained on, so that an artefact can name its data."""
    digest = hashlib.sha256()
    for event in sorted(events, key=lambda event: (event.source, event.product, event.line)):
        fields = (event.product, event.category or ROUTINE, event.severity or NO_SEVERITY)
        digest.update("\x1f".join([*fields, event.subcategory, event.line, "\x1e"]).encode())
    return digest.hexdigest()
