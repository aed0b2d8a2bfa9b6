"""What drift remembers between two words of feedback, and its bytes.

Comes in: votes, words that wait for their incident, drift episodes. Goes out: a DriftState, as JSON
without field names. Promise: every list in it is bounded by DriftRules; a person stands in it only
by pseudonym, save in a word that still waits.
"""

from dataclasses import dataclass

import msgspec

from agents.logic.drift.judgements import Arm
from schemas.vocabulary import Category

MAX_EPISODES = 50
MAX_ARMS = 20


@dataclass(frozen=True, slots=True)
class DriftRules:
    """Bounds, windows and thresholds; times in milliseconds."""

    threshold: float = 0.2
    confident: bool = False
    min_samples: int = 50
    window_ms: int = 30 * 86_400_000
    window_samples: int = 500
    max_per_person: int = 50
    cool_down_ms: int = 86_400_000
    training_hours: tuple[int, int] | None = None
    """From and to, in UTC; None: at any time."""
    wait_ms: int = 600_000
    max_waiting: int = 200
    release_floor: int = 30
    promotion_margin: float = 0.1
    single_person: bool = False


class Vote(msgspec.Struct, array_like=True, frozen=True):
    """The latest word of one voice on one incident, as far as it counts."""

    incident: str
    voice: str
    key: str
    """Under which the feedback topic holds it; its tombstone removes the vote."""
    model: str
    adapter: str | None
    category: Category | None
    """The verdict's; None where the verdict on that revision is no longer known."""
    wrong: bool
    given_ms: int
    offset: int

    @property
    def arm(self) -> Arm:
        """Return who judged."""
        return Arm(self.model, self.adapter)


class Waiting(msgspec.Struct, array_like=True, frozen=True):
    """A word on an incident that is not known yet."""

    key: bytes
    value: bytes
    offset: int
    appended_ms: int
    voice: str


class Episode(msgspec.Struct, array_like=True, frozen=True):
    """A time in which one model drifts; training is asked for once in it."""

    model: str
    adapter: str | None
    request_id: str
    requested_ms: int
    offset: int
    """Of the word that tipped the scales: later ones are new evidence."""
    open: bool = True

    @property
    def arm(self) -> Arm:
        """Return who drifts."""
        return Arm(self.model, self.adapter)


class DriftState(msgspec.Struct, array_like=True, frozen=True):
    """All that drift remembers; `position` is the offset of the last word it reflects."""

    position: int = -1
    votes: tuple[Vote, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    episodes: tuple[Episode, ...] = ()
    decided: str = ""
    """The release that was promoted or withdrawn last, so that it is decided once."""

    def to_bytes(self) -> bytes:
        """Return it as JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def from_bytes(cls, value: bytes) -> "DriftState":
        """Read it; raises msgspec.MsgspecError for bytes that are no state."""
        return msgspec.json.decode(value, type=cls)

    def with_vote(self, vote: Vote, now_ms: int, rules: DriftRules) -> "DriftState":
        """Take in one vote; an older word of the same voice on the same incident is replaced.

        A word that was given before the known one changes nothing, so that an old signed word that
        somebody sends again does not undo a newer one.
        """
        known = self.vote_of(vote.incident, vote.voice)
        if known is not None and (known.given_ms, known.offset) > (vote.given_ms, vote.offset):
            return self
        others = [kept for kept in self.votes if kept is not known]
        others.append(vote)
        return self._replaced(_bounded(others, now_ms, rules))

    def without_vote(self, vote: Vote | None) -> "DriftState":
        """Return the state that does not know `vote`."""
        return self._replaced(tuple(kept for kept in self.votes if kept is not vote))

    def without_author(self, key: str) -> "DriftState":
        """Forget what stands under `key` in the feedback topic: its author is erased from it."""
        votes = tuple(vote for vote in self.votes if vote.key != key)
        waiting = tuple(word for word in self.waiting if word.key != key.encode())
        return msgspec.structs.replace(self, votes=votes, waiting=waiting)

    def vote_of(self, incident: str, voice: str) -> Vote | None:
        """Return the vote of `voice` on `incident`."""
        return next(
            (vote for vote in self.votes if (vote.incident, vote.voice) == (incident, voice)), None
        )

    def episode_of(self, arm: Arm) -> Episode | None:
        """Return the latest drift episode of `arm`, over or not."""
        return next((known for known in reversed(self.episodes) if known.arm == arm), None)

    def with_episode(self, episode: Episode) -> "DriftState":
        """Take in an episode, in place of the arm's former one."""
        others = [known for known in self.episodes if known.arm != episode.arm]
        episodes = tuple([*others, episode][-MAX_EPISODES:])
        return msgspec.structs.replace(self, episodes=episodes)

    def _replaced(self, votes: tuple[Vote, ...]) -> "DriftState":
        return msgspec.structs.replace(self, votes=votes)


def _bounded(votes: list[Vote], now_ms: int, rules: DriftRules) -> tuple[Vote, ...]:
    """Leave out what is too old, what is too much of one arm, and the arms silent the longest."""
    recent = [vote for vote in votes if vote.given_ms > now_ms - rules.window_ms]
    by_arm: dict[Arm, list[Vote]] = {}
    for vote in recent:
        by_arm.setdefault(vote.arm, []).append(vote)
    if len(by_arm) > MAX_ARMS:
        silent = sorted(by_arm, key=lambda arm: max(vote.offset for vote in by_arm[arm]))
        for arm in silent[: len(by_arm) - MAX_ARMS]:
            del by_arm[arm]
    kept: set[int] = set()
    for theirs in by_arm.values():
        # Capped per voice here too, so that one voice cannot push the others out of the window.
        kept.update(id(vote) for vote in counted(theirs, rules))
    return tuple(vote for vote in recent if id(vote) in kept)


def counted(votes: list[Vote], rules: DriftRules) -> list[Vote]:
    """Return those of one arm's votes that count: the latest, each voice's up to the bound."""
    taken: dict[str, int] = {}
    kept = []
    for vote in sorted(votes, key=lambda vote: (vote.given_ms, vote.offset), reverse=True):
        if taken.get(vote.voice, 0) >= rules.max_per_person:
            continue
        taken[vote.voice] = taken.get(vote.voice, 0) + 1
        kept.append(vote)
        if len(kept) >= rules.window_samples:
            break
    return kept
