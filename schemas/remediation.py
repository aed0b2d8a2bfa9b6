"""What recommend writes to `remediations`: a plan with verification and rollback for every step.

OpsPilot never executes a command. A command that may not be run as it stands is marked with why.
"""

from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, Literal

from schemas.base import Count, Part, Record, ShortText
from schemas.classification import Judge
from schemas.vocabulary import Category, Severity


class Risk(StrEnum):
    """What a step may break."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class CommandVerdict(StrEnum):
    """What the command policy says of a command."""

    SAFE = "safe"
    NEEDS_APPROVAL = "needs_approval"
    BLOCKED = "blocked"


class Command(Part):
    """A command for a person to run, and what the policy says of it."""

    text: str
    verdict: CommandVerdict
    reason: ShortText | None = None
    fill_in: tuple[str, ...] = ()
    """Placeholders such as <host> that no fact of the incident could fill."""


class Citation(Part):
    """The passage that a step rests on."""

    runbook: str
    section: str
    title: ShortText = ""


class RemediationStep(Part):
    """One step: what to do, how to see that it worked, how to undo it."""

    description: ShortText
    command: Command | None = None
    verification: ShortText
    rollback: ShortText
    risk: Risk
    requires_approval: bool
    source: Citation | None = None


class RemediationPlan(Record):
    """The plan for one revision of one incident: RemediationPlan of the requirements."""

    TYPE: ClassVar[str] = "remediation"
    type: Literal["remediation"] = "remediation"

    incident_id: str
    revision: Count
    service: str
    title: ShortText
    category: Category
    severity: Severity
    steps: tuple[RemediationStep, ...]
    estimated_time: timedelta
    """ISO 8601 duration on the wire, such as PT30M."""
    risks: tuple[ShortText, ...]
    success_criteria: tuple[ShortText, ...]
    rollback_plan: str
    sources: tuple[Citation, ...] = ()
    owner: ShortText | None = None
    judge: Judge
