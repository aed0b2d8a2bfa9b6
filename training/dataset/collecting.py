"""All that people said of verdicts, and the verdicts, as Kafka has them now.

Comes in: settings. Goes out: words with their voices, verdicts by incident id. Promise: no consumer
group, nothing is committed; a word whose signature is wrong, or whose verdict is gone, is counted
and left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from agents.logic.feedback.selection import Word
from agents.logic.feedback.signing import voice_of
from schemas.classification import Classification
from schemas.learning import Feedback
from schemas.topics import CLASSIFICATIONS, FEEDBACK
from streams.errors import DecodeError
from streams.personkeys import read_person_keys
from streams.settings import Settings
from streams.tailing import TopicTail


@dataclass(frozen=True, slots=True)
class Collected:
    """What there is to learn from, and how much was left out."""

    words: list[Word]
    verdicts: dict[str, Classification]
    left_out: int = 0


@dataclass(slots=True)
class Gathering:
    """Takes in the records of both topics."""

    keys: Mapping[str, bytes]
    _words: dict[bytes, Feedback] = field(default_factory=dict)
    _verdicts: dict[str, dict[int, Classification]] = field(default_factory=dict)

    def take_feedback(self, key: bytes | None, value: bytes | None) -> None:
        """Keep the latest word under each key; a tombstone takes it away."""
        if key is None:
            return
        self._words.pop(key, None)
        if value is None:
            return
        try:
            self._words[key] = Feedback.from_bytes(value)
        except ValidationError:
            return

    def take_verdict(self, value: bytes | None) -> None:
        """Keep each revision's verdict."""
        if value is None:
            return
        try:
            verdict = Classification.from_bytes(value)
        except ValidationError:
            return
        self._verdicts.setdefault(verdict.incident_id, {})[verdict.revision] = verdict

    def result(self) -> Collected:
        """Return words that can be understood, with the latest verdict of each incident."""
        words, left_out = [], 0
        for feedback in self._words.values():
            judged = self._verdicts.get(feedback.incident_id, {}).get(feedback.revision)
            try:
                voice = voice_of(feedback, self.keys)
            except DecodeError:
                judged = None
            if judged is None:
                left_out += 1
                continue
            words.append(Word(feedback, voice, judged.category, judged.severity))
        latest = {incident: found[max(found)] for incident, found in self._verdicts.items()}
        return Collected(words, latest, left_out)


async def collect(settings: Settings) -> Collected:
    """Read both topics to their ends; raises BrokerError."""
    gathering = Gathering(read_person_keys(settings.feedback.keys_file))

    def feedback(record: Any) -> None:
        gathering.take_feedback(record.key, record.value)

    def verdict(record: Any) -> None:
        gathering.take_verdict(record.value)

    for topic, take in ((FEEDBACK, feedback), (CLASSIFICATIONS, verdict)):
        tail = TopicTail(settings, topic)
        try:
            await tail.read_new(take)
        finally:
            await tail.close()
    return gathering.result()
