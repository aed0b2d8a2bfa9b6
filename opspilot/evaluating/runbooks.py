"""Measures which runbook a line finds that is worded otherwise, by words and by meaning.

Comes in: lines with the runbook they belong to, the library, perhaps an embedding server. Goes out:
figures, and the lines that found another one's runbook. Promise: the choice is that of a plan.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.logic.plans.retrieval import Query, RunbookLibrary
from agents.nearness import Nearness
from opspilot.evaluating.figures import Figures
from schemas.vocabulary import Category
from streams.errors import InputError

_Lines = Annotated[tuple[str, ...], Field(min_length=1)]
_OUTCOMES = ("the right runbook", "another runbook", "the generic one")


class _Set(BaseModel):
    model_config = ConfigDict(extra="forbid")

    fits: dict[str, _Lines] = {}
    none: dict[Category, _Lines] = {}


@dataclass(frozen=True, slots=True)
class Worded:
    """One line, the category of its incident, and its runbook, if any is for it."""

    line: str
    category: Category
    runbook: str | None


def read_worded(text: str, name: str, library: RunbookLibrary) -> list[Worded]:
    """Read a set; raises InputError where it has another form or names an unknown runbook."""
    try:
        found = _Set.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        problem = str(error).splitlines()[0]
        raise InputError(
            f"{name} must hold `fits` (runbook: lines) and `none` (category: lines): {problem}"
        ) from None
    items = []
    for runbook_id, lines in found.fits.items():
        runbook = library.get(runbook_id)
        if runbook is None or runbook.is_generic:
            raise InputError(f"{name} names {runbook_id}, which is no specific runbook")
        items += [Worded(line, runbook.categories[0], runbook_id) for line in lines]
    items += [Worded(line, one, None) for one, lines in found.none.items() for line in lines]
    return items


async def choices(
    items: Sequence[Worded], library: RunbookLibrary, nearness: Nearness | None
) -> list[str | None]:
    """Return the specific runbook that a plan would follow for each line, if any."""
    found = []
    for item in items:
        query = Query(item.line, item.category, lines=((item.line, 1),))
        near: Mapping[str, float] = {}
        if nearness is not None:
            near = await nearness.closeness(query, library)
        fitting = library.fitting(query, near)
        found.append(fitting[0].runbook.id if fitting else None)
    return found


def runbook_figures(
    items: Sequence[Worded], chosen: Mapping[str, Sequence[str | None]]
) -> list[Figures]:
    """Return what became of the lines under each way of choosing; then what went astray."""
    rows = []
    for way, names in chosen.items():
        fits = Counter[str](), Counter[str]()
        for item, name in zip(items, names, strict=True):
            outcome = _OUTCOMES[2 if name is None else 0 if name == item.runbook else 1]
            fits[item.runbook is None][outcome] += 1
        for counts, whose in zip(fits, ("lines that a runbook is for", "others"), strict=True):
            told = (str(counts[outcome]) for outcome in _OUTCOMES)
            rows.append((f"{way}: {whose}", str(counts.total()), *told))
    astray = [
        (way, item.line, name, item.runbook or "-")
        for way, names in chosen.items()
        for item, name in zip(items, names, strict=True)
        if name is not None and name != item.runbook
    ]
    tables = [Figures(f"{len(items)} lines", ("", "count", *_OUTCOMES), tuple(rows))]
    if astray:
        tables.append(Figures("astray", ("", "line", "found", "belongs to"), tuple(astray)))
    return tables
