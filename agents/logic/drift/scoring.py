"""From the votes on one model to its drift score.

Comes in: votes, what is known of the model's verdicts, now. Goes out: a DriftScore. Promise: the
score is the share of verdicts called wrong, each voice's counted up to a bound; the rest explains.
"""

from agents.logic.drift.judgements import Arm, Judgements
from agents.logic.drift.state import DriftRules, Vote, counted
from agents.logic.drift.statistics import wilson_interval
from schemas.learning import DriftScore


def votes_on(votes: tuple[Vote, ...], arm: Arm, now_ms: int, rules: DriftRules) -> list[Vote]:
    """Return the votes on `arm` that count now, latest first."""
    since_ms = now_ms - rules.window_ms
    mine = [vote for vote in votes if vote.arm == arm and vote.given_ms > since_ms]
    return counted(mine, rules)


def score_of(
    votes: tuple[Vote, ...], arm: Arm, judgements: Judgements, now_ms: int, rules: DriftRules
) -> DriftScore:
    """Return how far `arm` has drifted at `now_ms`."""
    mine = votes_on(votes, arm, now_ms, rules)
    wrong = sum(vote.wrong for vote in mine)
    low, high = wilson_interval(wrong, len(mine))
    rate = wrong / len(mine) if mine else 0.0
    by_category = {}
    for category in sorted({vote.category for vote in mine if vote.category is not None}):
        theirs = [vote.wrong for vote in mine if vote.category is category]
        by_category[category] = round(sum(theirs) / len(theirs), 6)
    return DriftScore(
        model=arm.model,
        adapter=arm.adapter,
        score=round(rate, 6),
        samples=len(mine),
        error_rate=round(rate, 6),
        error_rate_low=round(low, 6),
        error_rate_high=round(high, 6),
        errors_by_category=by_category,
        category_shift=round(judgements.category_shift(arm), 6),
        abstention_rate=round(judgements.abstention_rate(arm), 6),
        people=len({vote.voice for vote in mine}),
        at_ms=now_ms,
    )
