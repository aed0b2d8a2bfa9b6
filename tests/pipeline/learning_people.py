"""People beside the processes that learn: they let incidents happen, and say what they think."""

import asyncio
import sys
from collections.abc import Iterable, Sequence

from learning_world import make_incident
from stages import Follower, StageProcess, send

from agents.logic.feedback.signing import feedback_key, sign
from agents.logic.judging.classifier import load_classifier
from agents.logic.windows.grading import Grader
from schemas.classification import Classification
from schemas.learning import (
    Feedback,
    ModelRelease,
    ModelRole,
    RetrainingRequest,
    RetrainingResult,
    TrainingState,
)
from schemas.topics import (
    CLASSIFICATIONS,
    FEEDBACK,
    INCIDENTS,
    MODELS,
    TRAINING_REQUESTS,
    TRAINING_RESULTS,
)
from schemas.vocabulary import Category
from streams.clock import now_ms
from streams.settings import Settings

PEOPLE = {name: f"a key that only {name} has" for name in ("ana", "ben", "cleo", "dan")}
MOST_TRIES = 40
PAUSE_SECONDS = 0.5


class TrainerProcess(StageProcess):
    """`opspilot trainer`, which is no `worker`."""

    @property
    def command(self) -> tuple[str, ...]:
        return (sys.executable, "-m", "opspilot", "trainer")


class Loop:
    """The topics around the processes, and the people who read and write them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.truths: dict[str, Category] = {}
        self._grader = Grader(load_classifier())
        self._number = 0

    async def judged(self, categories: Iterable[Category]) -> list[Classification]:
        """Let incidents of these categories happen; return their verdicts."""
        made = []
        for category in categories:
            self._number += 1
            made.append(make_incident(category, self._number, self._grader))
            self.truths[made[-1].id] = category
        await self._send(INCIDENTS, [(one.id.encode(), one.to_bytes()) for one in made])
        wanted = {one.id for one in made}
        async with Follower(self.settings, CLASSIFICATIONS) as verdicts:
            values = await verdicts.until(
                lambda found: (
                    wanted <= {v.incident_id for v in map(Classification.from_bytes, found)}
                ),
                f"verdicts on {len(made)} incidents",
            )
        found = map(Classification.from_bytes, values)
        return [verdict for verdict in found if verdict.incident_id in wanted]

    async def judged_by(self, adapter: str | None, variant: str) -> None:
        """Let incidents happen until one is judged by the adapter in this part."""
        for _ in range(MOST_TRIES):
            (verdict,) = await self.judged([Category.NETWORK])
            if (verdict.judge.adapter, verdict.judge.variant) == (adapter, variant):
                return
            # A release is seen within seconds, and a baseline judges in milliseconds.
            await asyncio.sleep(PAUSE_SECONDS)
        raise AssertionError(f"{adapter} is no {variant}: {verdict.judge}")

    def is_right(self, verdict: Classification) -> bool:
        """Tell whether a verdict names the true category."""
        return verdict.category is self.truths[verdict.incident_id]

    async def say(
        self, verdicts: Iterable[Classification], people: Iterable[str], lying=False
    ) -> int:
        """Let each of the people say of each verdict whether it is right, or that it is wrong."""
        words = [
            sign(self._word(verdict, person, lying), PEOPLE[person].encode())
            for verdict in verdicts
            for person in people
        ]
        messages = [(feedback_key(word).encode(), word.to_bytes()) for word in words]
        await self._send(FEEDBACK, messages)
        return len(words)

    async def ask_for_training(self, request: RetrainingRequest) -> None:
        """Ask as drift does."""
        await self._send(TRAINING_REQUESTS, [(request.model.encode(), request.to_bytes())])

    async def result(self, states: Sequence[TrainingState], request: str | None = None):
        """Return the first result of these states, of one request if it is named."""

        def wanted(value: bytes) -> bool:
            result = RetrainingResult.from_bytes(value)
            return result.state in states and request in (None, result.request_id)

        async with Follower(self.settings, TRAINING_RESULTS) as results:
            values = await results.until(lambda found: any(map(wanted, found)), f"result {states}")
        return RetrainingResult.from_bytes(next(filter(wanted, values)))

    async def released(self, role: ModelRole, adapter: str | None) -> ModelRelease:
        """Return the release of an adapter to a role, once it is there."""

        def wanted(value: bytes) -> bool:
            release = ModelRelease.from_bytes(value)
            return (release.role, release.adapter) == (role, adapter)

        async with Follower(self.settings, MODELS) as releases:
            values = await releases.until(
                lambda found: any(map(wanted, found)), f"{role} {adapter}"
            )
        return ModelRelease.from_bytes(next(filter(wanted, values)))

    def _word(self, verdict: Classification, person: str, lying: bool) -> Feedback:
        right = self.is_right(verdict) and not lying
        return Feedback(
            incident_id=verdict.incident_id,
            revision=verdict.revision,
            person=person,
            given_ms=now_ms(),
            category_correct=right,
            corrected_category=None if right or lying else self.truths[verdict.incident_id],
            model=verdict.judge.model,
            adapter=verdict.judge.adapter,
        )

    async def _send(self, topic, messages) -> None:
        name = self.settings.topics.name(topic)
        await send(self.settings.kafka.bootstrap, name, messages)
