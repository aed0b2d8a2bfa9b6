"""When drift asks for training: once per episode, not too often, at an hour that suits.

Comes in: an arm's score, its last episode, now. Goes out: the episode as it stands, a reason, and
whether to ask. Promise: while an episode stands nothing more is asked for; the same word always
makes the same request id.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from agents.logic.drift.judgements import Arm
from agents.logic.drift.state import DriftRules, Episode
from schemas.envelope import iso_time
from schemas.ids import content_id
from schemas.learning import DriftScore

CLOSE_SHARE = 0.75
"""An episode is over when the score falls to this share of the threshold: not by one vote."""
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


@dataclass(frozen=True, slots=True)
class Considered:
    """What came of looking at one score."""

    reason: str
    episode: Episode | None
    """The arm's episode as it stands now; None: it has none."""
    asked: bool = False


def consider(
    score: DriftScore,
    offset: int,
    episodes: Iterable[Episode],
    new_votes: int,
    now_ms: int,
    rules: DriftRules,
) -> Considered:
    """Decide whether the word at `offset` makes a request; `new_votes` came since the last one."""
    arm = Arm(score.model, score.adapter)
    known = list(episodes)
    episode = next((e for e in reversed(known) if e.arm == arm), None)
    if score.samples < rules.min_samples:
        return Considered(f"{score.samples} of the {rules.min_samples} samples needed", episode)
    measured = score.error_rate_low if rules.confident else score.score
    what = "lower bound of the drift score" if rules.confident else "drift score"
    said = f"{what} {measured:.3f}, threshold {rules.threshold:g}"
    if measured <= rules.threshold:
        if episode is not None and score.score <= CLOSE_SHARE * rules.threshold:
            episode = msgspec.structs.replace(episode, open=False)
        return Considered(said, episode)
    cool_ms = max((e.requested_ms for e in known if e.model == arm.model), default=None)
    cooling = cool_ms is not None and now_ms < cool_ms + rules.cool_down_ms
    if episode is not None and episode.open and (cooling or new_votes < rules.min_samples):
        return Considered(f"{said}; already asked for as {episode.request_id}", episode)
    if cooling:
        assert cool_ms is not None
        until = iso_time(cool_ms + rules.cool_down_ms)
        return Considered(f"{said}; cooling down until {until}", episode)
    request_id = content_id("training", arm.model, arm.adapter or "", offset)
    begun = Episode(arm.model, arm.adapter, request_id, now_ms, offset)
    return Considered(said, begun, asked=True)


def training_time_ms(now_ms: int, hours: tuple[int, int] | None) -> int:
    """Return when training may begin: now, or the next time that it is `hours[0]` in UTC.

    Hours may go over midnight: (22, 6) is the night. Equal hours are the whole day.
    """
    if hours is None or hours[0] == hours[1]:
        return now_ms
    begin_hour, end_hour = hours
    in_day_ms = now_ms % _DAY_MS
    since_begin_ms = (in_day_ms - begin_hour * _HOUR_MS) % _DAY_MS
    length_ms = (end_hour - begin_hour) * _HOUR_MS % _DAY_MS
    return now_ms if since_begin_ms < length_ms else now_ms + _DAY_MS - since_begin_ms
