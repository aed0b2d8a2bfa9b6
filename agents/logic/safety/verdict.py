"""What the policy says of a command, and how the verdicts of its parts are joined.

Comes in: verdicts. Goes out: one verdict. Promise: the worst part decides.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.remediation import CommandVerdict

_RANK = {CommandVerdict.SAFE: 0, CommandVerdict.NEEDS_APPROVAL: 1, CommandVerdict.BLOCKED: 2}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far a command may be trusted, and why."""

    verdict: CommandVerdict
    reason: str


SAFE = Verdict(CommandVerdict.SAFE, "only reads")


def needs_approval(reason: str) -> Verdict:
    """Return the verdict on a command that changes state in a known way."""
    return Verdict(CommandVerdict.NEEDS_APPROVAL, reason)


def blocked(reason: str) -> Verdict:
    """Return the verdict on a command that must not be run."""
    return Verdict(CommandVerdict.BLOCKED, reason)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the first of the worst verdicts; SAFE where there is none."""
    return max(verdicts, key=lambda verdict: _RANK[verdict.verdict], default=SAFE)
