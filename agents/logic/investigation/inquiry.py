"""An investigation under way: its steps, what it has cost, and what may come next.

Comes in: answers, observations, faults, the time that has passed. Goes out: the phase: ask for a
step, ask for the conclusion, or stop. Promise: pure; it ends: every answer adds a step or a fault,
and both are bounded, as are tokens and seconds; nothing is asked twice.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from agents.logic.investigation.moves import ToolCall
from agents.logic.investigation.observing import Observation, row_text
from schemas.investigation import InvestigationEnd, InvestigationStep

CONCLUDE_SHARE = 0.75
"""From this share of time or tokens on only the conclusion is asked for."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What one investigation may cost at most."""

    steps: int = 8
    faults: int = 4
    tokens: int = 60_000
    seconds: float = 120.0
    tool_seconds: float = 15.0

    def __post_init__(self) -> None:
        if (
            min(self.steps, self.faults, self.tokens) < 1
            or min(self.seconds, self.tool_seconds) <= 0
        ):
            raise ValueError("a budget must be above zero: steps, faults, tokens, seconds")


class Phase(StrEnum):
    """What is to be done next."""

    ASK = "ask"
    CONCLUDE = "conclude"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Done:
    """One step that was taken, with what it showed."""

    record: InvestigationStep
    call: ToolCall | None = None
    observation: Observation | None = None


@dataclass(slots=True)
class Inquiry:
    """The state of one investigation."""

    budget: Budget
    done: list[Done] = field(default_factory=list)
    tokens: int = 0
    faults: int = 0
    concluding: bool = False
    """Set once the model wants to conclude, or must."""

    @property
    def has_seen(self) -> bool:
        """Tell whether any tool has shown anything."""
        return any(done.observation is not None for done in self.done)

    @property
    def tools_used(self) -> int:
        """Return how many calls were made, those that failed too."""
        return sum(done.call is not None for done in self.done)

    def phase(self, spent_seconds: float) -> Phase:
        """Say what is to be done next, after so much time."""
        if self.end(spent_seconds) is not None:
            return Phase.STOP
        near = CONCLUDE_SHARE
        if (
            self.concluding
            or self.tools_used >= self.budget.steps
            or self.tokens >= near * self.budget.tokens
            or spent_seconds >= near * self.budget.seconds
        ):
            return Phase.CONCLUDE
        return Phase.ASK

    def end(self, spent_seconds: float) -> InvestigationEnd | None:
        """Return why nothing more may be asked, or None while something may."""
        if self.faults >= self.budget.faults:
            return InvestigationEnd.TOO_MANY_FAULTS
        if self.tokens >= self.budget.tokens:
            return InvestigationEnd.OUT_OF_TOKENS
        if spent_seconds >= self.budget.seconds:
            return InvestigationEnd.OUT_OF_TIME
        return None

    def end_of_conclusion(self, spent_seconds: float) -> InvestigationEnd:
        """Return why the steps ended, when a conclusion came."""
        if self.tools_used >= self.budget.steps:
            return InvestigationEnd.OUT_OF_STEPS
        if self.tokens >= CONCLUDE_SHARE * self.budget.tokens:
            return InvestigationEnd.OUT_OF_TOKENS
        if spent_seconds >= CONCLUDE_SHARE * self.budget.seconds:
            return InvestigationEnd.OUT_OF_TIME
        return InvestigationEnd.CONCLUDED

    def asked_before(self, call: ToolCall) -> int | None:
        """Return the number of the step that asked exactly this, if one did."""
        return next((done.record.number for done in self.done if done.call == call), None)

    def saw(
        self, call: ToolCall, observation: Observation, thought: str = "", latency_ms: float = 0.0
    ) -> InvestigationStep:
        """Take in what a tool showed; returns the step of the record."""
        step = InvestigationStep(
            number=len(self.done) + 1,
            tool=call.tool.value,
            arguments=call.arguments,
            thought=thought,
            observation=observation.summary,
            rows=tuple(row_text(row) for row in observation.shown),
            evidence=observation.evidence,
            latency_ms=round(latency_ms, 3),
        )
        self.done.append(Done(step, call, observation))
        return step

    def failed(
        self, fault: str, call: ToolCall | None = None, thought: str = "", latency_ms: float = 0.0
    ) -> InvestigationStep:
        """Take in what went wrong: an answer that cannot be used, or a tool that could not read."""
        step = InvestigationStep(
            number=len(self.done) + 1,
            tool=call.tool.value if call else "",
            arguments=call.arguments if call else {},
            thought=thought,
            fault=fault[:500],
            latency_ms=round(latency_ms, 3),
        )
        self.faults += 1
        self.done.append(Done(step, call))
        return step

    @property
    def seen(self) -> list[Done]:
        """Return the steps that showed something."""
        return [done for done in self.done if done.observation is not None]


def with_budget(budget: Budget, **changed: float | int | None) -> Budget:
    """Return the budget with what is not None changed."""
    given = {name: value for name, value in changed.items() if value is not None}
    return replace(budget, **given)  # type: ignore[arg-type]
