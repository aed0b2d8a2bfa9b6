"""What analyze writes to `findings`: one step in the life of one abnormal condition of a service.

A condition opens, is updated at growing intervals of event time, and clears. Its id holds service,
kind, what it is about and the slot in which it opened, so a replay finds the same conditions.
"""

from typing import ClassVar, Literal

from schemas.base import Count, EpochMs, LongText, Part, Record, Share, ShortText
from schemas.digest import RawRange
from schemas.vocabulary import FindingKind, FindingPhase, Level


class ShapeEvidence(Part):
    """One shape that speaks for a finding."""

    shape_id: str
    template_id: str | None = None
    shape: ShortText
    level: Level | None = None
    status_class: int | None = None
    count: Count
    problem: Share = 0.0
    """How much the wording alone reports a problem, by the baseline classifier."""
    examples: tuple[LongText, ...] = ()
    kinds: tuple[FindingKind, ...] = ()
    """The kinds of finding that this very shape speaks for, in an incident's analysis."""

    @property
    def text(self) -> str:
        """Return what it is judged by: a line as it came, else the shape itself."""
        return self.examples[0] if self.examples else self.shape


class Finding(Record):
    """One step of one condition; counts are cumulative since the condition opened."""

    TYPE: ClassVar[str] = "finding"
    type: Literal["finding"] = "finding"

    id: str
    condition_id: str
    service: str
    kind: FindingKind
    phase: FindingPhase
    sequence: Count
    """0 when opened, then rising by one with each step of this condition."""
    fingerprint: str
    """What the condition is about, whenever it occurs: service, kind and subject."""
    opened_ms: EpochMs
    slot_ms: EpochMs
    """The slot whose closing made this step."""
    last_ms: EpochMs
    """Event time of the last line that speaks for it."""
    count: Count
    observed: float
    expected: float
    unit: str
    score: Share
    statement: ShortText
    """One sentence: what was seen, what was expected."""
    shapes: tuple[ShapeEvidence, ...] = ()
    ties: tuple[ShortText, ...] = ()
    """What may tie it to other services: `host:`, `peer:`, `trace:` and a redacted value."""
    sources: tuple[RawRange, ...] = ()
    reported_by: ShortText | None = None
    description: LongText | None = None
    """A person's own words, where a person reported it."""
    appended_ms: EpochMs = 0
    """Latest append time of the lines behind it, for measuring delay."""
