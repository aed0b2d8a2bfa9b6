"""What `investigate` writes: how an incident was looked into, and what came of it.

Promise: each step names a read-only tool, its arguments and what it showed; the conclusion says
which steps it rests on. A later investigation of the same incident replaces the earlier one.
"""

from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import Field

from schemas.base import Count, EpochMs, LongText, Part, Record, Share, ShortText
from schemas.classification import Judge


class InvestigationEnd(StrEnum):
    """Why no further step was taken."""

    CONCLUDED = "concluded"
    """Who investigated had seen enough."""
    OUT_OF_STEPS = "out_of_steps"
    OUT_OF_TIME = "out_of_time"
    OUT_OF_TOKENS = "out_of_tokens"
    TOO_MANY_FAULTS = "too_many_faults"
    MODEL_FAILED = "model_failed"
    """The model did not answer; the fixed sequence of tools went on in its place."""


class EvidenceRef(Part):
    """Where something that a tool showed can be found again."""

    kind: Literal["template", "incident", "runbook", "finding", "metric"]
    id: ShortText
    what: ShortText = ""


class InvestigationStep(Part):
    """One use of one tool, or one fault."""

    number: Count
    tool: ShortText
    """Empty where the answer named none that exists."""
    arguments: dict[str, ShortText | int] = Field(default_factory=dict)
    thought: ShortText = ""
    """Why a model wanted it, cleaned."""
    observation: LongText = ""
    """What it showed, in one or two sentences."""
    rows: tuple[ShortText, ...] = ()
    """The most telling of what it showed; untrusted text as it stood in logs."""
    evidence: tuple[EvidenceRef, ...] = ()
    fault: ShortText | None = None
    """Why nothing was shown."""
    latency_ms: float = 0.0


class Investigation(Record):
    """One investigation of one revision of one incident."""

    TYPE: ClassVar[str] = "investigation"
    type: Literal["investigation"] = "investigation"

    incident_id: str
    revision: Count
    service: str
    title: ShortText
    steps: tuple[InvestigationStep, ...]
    conclusion: LongText
    probable_cause: LongText
    confidence: Share
    """How far the evidence carries the cause: for ordering, not calibrated."""
    basis: tuple[Count, ...] = ()
    """Numbers of the steps on which the conclusion rests."""
    next_actions: tuple[ShortText, ...] = ()
    ended: InvestigationEnd
    judge: Judge
    """Who concluded; `fallbackReason` says why it was not the model."""
    tokens: Count = 0
    """Read and written by the model, over all steps."""
    latency_ms: float = 0.0
    """From the beginning to the conclusion."""
    at_ms: EpochMs
