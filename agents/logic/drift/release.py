"""Whether a model that people saw at work stays, goes on or goes back: from their words alone.

Comes in: the votes on a candidate and on what it is held against. Goes out: an outcome and its
reason. Promise: below a floor of samples nothing is decided; nor by one person, whoever it is: an
outcome must stand when any one of them is left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from agents.logic.drift.state import DriftRules, Vote
from agents.logic.drift.statistics import difference_interval, wilson_interval

Z_WORSE = 3.29
"""Looked at after each word, so the single look must be strict: two-sided 99.9 %."""
Z_NO_WORSE = 1.645
"""The gate has already tested a candidate on held-back data: two-sided 90 %."""


class Outcome(StrEnum):
    """What becomes of a candidate."""

    HOLD = "hold"
    PROMOTE = "promote"
    ROLL_BACK = "roll back"


@dataclass(frozen=True, slots=True)
class Decision:
    """An outcome, and why, for a person."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class _Tally:
    wrong: int
    total: int

    def without(self, other: "_Tally") -> "_Tally":
        return _Tally(self.wrong - other.wrong, self.total - other.total)


_NOTHING = _Tally(0, 0)


def decide(candidate: Iterable[Vote], reference: Iterable[Vote], rules: DriftRules) -> Decision:
    """Hold the words on `candidate` against those on `reference`, which served before or beside it.

    Worse: the whole interval of the difference in error rates lies above 0; where the reference
    has too few words, the interval of the candidate's own rate lies above the drift threshold. No
    worse: the rate is not higher, and the interval ends below the margin. Else more is awaited.
    """
    mine, theirs = _by_voice(candidate), _by_voice(reference)
    outcome = _judge(_sum(mine), _sum(theirs), rules)
    people = sorted(mine.keys() | theirs.keys())
    said = _said(_sum(mine), _sum(theirs))
    if outcome is Outcome.HOLD or rules.single_person:
        return Decision(outcome, said)
    for person in people:
        rest = _sum(mine).without(mine.get(person, _NOTHING))
        other_rest = _sum(theirs).without(theirs.get(person, _NOTHING))
        if _judge(rest, other_rest, rules) is not outcome:
            why = f"{said}; but to {outcome} would rest on one person's word"
            return Decision(Outcome.HOLD, why)
    return Decision(outcome, said)


def _judge(mine: _Tally, theirs: _Tally, rules: DriftRules) -> Outcome:
    if mine.total < rules.release_floor:
        return Outcome.HOLD
    if theirs.total < rules.release_floor:
        low, _ = wilson_interval(mine.wrong, mine.total, Z_WORSE)
        return Outcome.ROLL_BACK if low > rules.threshold else Outcome.HOLD
    counts = mine.wrong, mine.total, theirs.wrong, theirs.total
    worse_low, _ = difference_interval(*counts, z=Z_WORSE)
    if worse_low > 0:
        return Outcome.ROLL_BACK
    _, high = difference_interval(*counts, z=Z_NO_WORSE)
    no_higher = mine.wrong * theirs.total <= theirs.wrong * mine.total
    return Outcome.PROMOTE if no_higher and high < rules.promotion_margin else Outcome.HOLD


def _by_voice(votes: Iterable[Vote]) -> dict[str, _Tally]:
    tallies: dict[str, _Tally] = {}
    for vote in votes:
        known = tallies.get(vote.voice, _NOTHING)
        tallies[vote.voice] = _Tally(known.wrong + vote.wrong, known.total + 1)
    return tallies


def _sum(tallies: dict[str, _Tally]) -> _Tally:
    return _Tally(
        sum(tally.wrong for tally in tallies.values()),
        sum(tally.total for tally in tallies.values()),
    )


def _said(mine: _Tally, theirs: _Tally) -> str:
    return (
        f"{mine.wrong} of {mine.total} verdicts called wrong, "
        f"{theirs.wrong} of {theirs.total} of the model it is held against"
    )
