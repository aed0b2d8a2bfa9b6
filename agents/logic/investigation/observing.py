"""What a tool shows, in three sizes: a sentence, rows for a model, rows for a record.

Comes in: rows made of log text and numbers. Goes out: an Observation, its rows as short texts.
Promise: pure; rows are bounded in number and length; no text of a row stands in the sentence.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from agents.logic.prompting.characters import cut, visible
from agents.logic.prompting.quarantine import Plain
from schemas.investigation import EvidenceRef

MAX_ROWS = 10
MAX_CELL = 240
_MAX_ROW = 500


@dataclass(frozen=True, slots=True)
class Observation:
    """What one use of a tool showed."""

    summary: str
    """One or two sentences of this project's own words and numbers."""
    rows: tuple[Mapping[str, Plain], ...] = ()
    """Untrusted, the most telling first."""
    evidence: tuple[EvidenceRef, ...] = ()
    lead: str = ""
    """The one thing that tells most, in words; untrusted."""
    strength: float = 0.0
    """How much it tells of the cause, 0 to 1, by the tool's own measure."""

    @property
    def shown(self) -> tuple[Mapping[str, Plain], ...]:
        """Return the rows that are kept."""
        return self.rows[:MAX_ROWS]


def row_text(row: Mapping[str, Plain]) -> str:
    """Return one row as one line for a person: `name: value` pairs, visible characters only."""
    cells = [f"{name}: {_cell(value)}" for name, value in row.items() if value not in ("", [])]
    return cut(" | ".join(cells), _MAX_ROW)


def row_texts(observation: Observation) -> tuple[str, ...]:
    """Return all untrusted text of an observation, for comparing answers with it.

    The values alone: with the names of our columns, `category: Network` would speak to a model.
    """
    rows = (cut(" | ".join(map(_cell, row.values())), _MAX_ROW) for row in observation.shown)
    return (*rows, observation.lead)


def _cell(value: Plain) -> str:
    if isinstance(value, list):
        return cut(visible(", ".join(value)), MAX_CELL)
    return cut(visible(value), MAX_CELL) if isinstance(value, str) else f"{value}"
