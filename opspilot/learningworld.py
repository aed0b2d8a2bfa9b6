"""The world around `make learn`: incidents whose truth is known, and three people who say it.

Comes in: settings, labelled examples. Goes out: incidents and signed words of feedback, as records
in Kafka; verdicts and results, read back. Promise: what people say is all that the loop is told.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agents.logic.feedback.signing import feedback_key, sign
from agents.logic.feedback.wording import Said, make_feedback
from schemas.classification import Classification
from schemas.incident import Incident
from schemas.learning import ENDED, RetrainingResult
from schemas.topics import CLASSIFICATIONS, FEEDBACK, INCIDENTS, TRAINING_RESULTS, Topic
from streams.clock import monotonic_ms, now_ms
from streams.errors import OpsPilotError
from streams.kafka import make_producer, started
from streams.settings import Settings
from streams.tailing import TopicTail
from training.dataset.examples import Example

KEYS: Mapping[str, str] = {name: f"a key that only {name} has" for name in ("ana", "ben", "cleo")}
"""Three, since two voices are needed and each counts for a third of the words."""
POLL_SECONDS = 2.0
VERDICTS_SECONDS = 900.0


class World:
    """Speaks to the loop and listens to it."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self._verdicts = TopicTail(settings, CLASSIFICATIONS)
        self._results = TopicTail(settings, TRAINING_RESULTS)
        self._ended: RetrainingResult | None = None
        self._told = ""
        self._judged: dict[str, Classification] = {}

    async def close(self) -> None:
        """Let go of the topics."""
        await self._verdicts.close()
        await self._results.close()

    async def judged(self, incidents: Sequence[Incident]) -> list[Classification]:
        """Let incidents happen and return their verdicts; raises OpsPilotError after a while."""
        await self._send(INCIDENTS, [(one.id, one.to_bytes()) for one in incidents])
        wanted = {one.id for one in incidents}
        until_ms = monotonic_ms() + VERDICTS_SECONDS * 1000
        while not wanted <= self._judged.keys():
            if monotonic_ms() > until_ms:
                missing = len(wanted - self._judged.keys())
                raise OpsPilotError(f"{missing} of {len(wanted)} incidents were not judged")
            await asyncio.sleep(POLL_SECONDS)
            await self._verdicts.read_new(self._take_verdict)
        return [self._judged[one.id] for one in incidents]

    async def say_truth(
        self, verdicts: Sequence[Classification], truths: Sequence[Example]
    ) -> tuple[int, int]:
        """Have each person say what is true of each verdict; return words, and wrong verdicts."""
        words = []
        wrong = 0
        for verdict, truth in zip(verdicts, truths, strict=True):
            said = Said(category=truth.category, severity=truth.severity)
            wrong += (verdict.category, verdict.severity) != (truth.category, truth.severity)
            for person, key in KEYS.items():
                word = sign(make_feedback(verdict, said, person, now_ms()), key.encode())
                words.append((feedback_key(word), word.to_bytes()))
        await self._send(FEEDBACK, words)
        return len(words), wrong

    async def result(self, alive: Callable[[], None]) -> RetrainingResult:
        """Wait for what becomes of the training that drift asks for; `alive` raises if it cannot.

        Says how far it is on the way.
        """
        last = ""
        while self._ended is None:
            alive()
            await asyncio.sleep(POLL_SECONDS)
            await self._results.read_new(self._take_result)
            if self._told != last:
                last = self._told
                self._say(last)
        return self._ended

    def _take_result(self, record: Any) -> None:
        result = RetrainingResult.from_bytes(record.value)
        if result.triggered:
            how_far = f", {result.progress:.0%}" if result.progress else ""
            self._told = f"{result.state}: {result.reason}{how_far}"
        if result.state in ENDED:
            self._ended = result

    def _take_verdict(self, record: Any) -> None:
        verdict = Classification.from_bytes(record.value)
        self._judged[verdict.incident_id] = verdict

    async def _send(self, topic: Topic, messages: Sequence[tuple[str, bytes]]) -> None:
        name = self._settings.topics.name(topic)
        async with started(make_producer(self._settings.kafka), self._settings.kafka) as producer:
            for key, value in messages:
                await producer.send_and_wait(name, key=key.encode(), value=value)
