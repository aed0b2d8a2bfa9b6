"""Who judged what: the verdicts of the window, by incident and by model.

Comes in: values of the classifications topic with their append times. Goes out: whom a word of
feedback speaks of, and how each model's verdicts are distributed. Promise: bounded; a value that is
no verdict changes nothing.
"""

from bisect import insort
from collections import Counter
from typing import NamedTuple

import msgspec

from agents.logic.drift.statistics import population_stability
from schemas.learning import Feedback
from schemas.vocabulary import Category, Severity

RECENT = 100
"""Verdicts whose distribution is held against that of those before them."""
MAX_TOLD = 1_100
MIN_TO_COMPARE = 50
MAX_ARMS = 32


class Arm(NamedTuple):
    """One model with one adapter, or with none."""

    model: str
    adapter: str | None

    @property
    def key(self) -> str:
        """Return `model` or `model+adapter`: a key of the drift topic."""
        return self.model if self.adapter is None else f"{self.model}+{self.adapter}"


class Judgement(NamedTuple):
    """One verdict, as far as feedback needs it."""

    arm: Arm
    backend: str
    category: Category | None
    severity: Severity | None


class _Judge(msgspec.Struct, rename="camel"):
    backend: str
    model: str
    adapter: str | None = None
    variant: str = "champion"
    fallback_reason: str | None = None


class _Verdict(msgspec.Struct, rename="camel"):
    incident_id: str
    revision: int
    category: Category
    severity: Severity
    judge: _Judge
    abstained: bool = False


_decoder = msgspec.json.Decoder(_Verdict)


class Judgements:
    """Remembers verdicts; the only mutable thing in drift's logic, made anew from the topic."""

    def __init__(self, max_incidents: int) -> None:
        self._max_incidents = max_incidents
        self._by_incident: dict[str, dict[int, Judgement]] = {}
        self._told: dict[Arm, list[tuple[int, str, bool]]] = {}
        self._serving: tuple[int, Judgement] | None = None

    @property
    def serving(self) -> Judgement | None:
        """Return the latest verdict of a champion that was no fallback; None before the first."""
        return self._serving[1] if self._serving else None

    def learn(self, value: bytes | None, appended_ms: int) -> None:
        """Take in one value of the classifications topic."""
        if value is None:
            return
        try:
            verdict = _decoder.decode(value)
        except msgspec.MsgspecError:
            return
        judge = verdict.judge
        arm = Arm(judge.model, judge.adapter)
        judgement = Judgement(arm, judge.backend, verdict.category, verdict.severity)
        revisions = self._by_incident.pop(verdict.incident_id, {})
        if verdict.revision in revisions:
            self._by_incident[verdict.incident_id] = revisions
            return
        revisions[verdict.revision] = judgement
        self._by_incident[verdict.incident_id] = revisions
        while len(self._by_incident) > self._max_incidents:
            del self._by_incident[next(iter(self._by_incident))]
        self._tell(arm, appended_ms, verdict)
        serves = judge.variant == "champion" and judge.fallback_reason is None
        if serves and (self._serving is None or appended_ms >= self._serving[0]):
            self._serving = appended_ms, judgement

    def find(self, feedback: Feedback) -> Judgement | None:
        """Return the verdict that `feedback` speaks of; None where it is not known (yet).

        The topic keeps the verdict on the latest revision alone: of an older one the word itself
        says which model it was.
        """
        revisions = self._by_incident.get(feedback.incident_id)
        if revisions is None or feedback.revision > max(revisions):
            return None
        known = revisions.get(feedback.revision)
        return known or Judgement(Arm(feedback.model, feedback.adapter), "", None, None)

    def category_shift(self, arm: Arm) -> float:
        """Return the population stability index of the latest verdicts against those before."""
        told = self._told.get(arm, [])
        before, now = told[:-RECENT], told[-RECENT:]
        if len(before) < MIN_TO_COMPARE:
            return 0.0
        return population_stability(
            Counter(category for _, category, _ in before),
            Counter(category for _, category, _ in now),
        )

    def abstention_rate(self, arm: Arm) -> float:
        """Return the share of verdicts that were too unsure to stand alone; 0 without any."""
        told = self._told.get(arm, [])
        return sum(abstained for _, _, abstained in told) / len(told) if told else 0.0

    def _tell(self, arm: Arm, appended_ms: int, verdict: _Verdict) -> None:
        told = self._told.setdefault(arm, [])
        # Partitions are read one after the other, so what comes next may be older.
        insort(told, (appended_ms, verdict.category.value, verdict.abstained))
        if len(told) > MAX_TOLD:
            del told[0]
        if len(self._told) > MAX_ARMS:
            del self._told[min(self._told, key=lambda known: self._told[known][-1])]
