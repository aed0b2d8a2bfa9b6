"""What drift knows besides feedback: who judged what, who serves, what was asked for already.

Comes in: the topics of verdicts, releases and training requests. Goes out: their present content,
always read to the end. Promise: takes nothing from the stages that consume these topics.
"""

import logging
from typing import Any

from pydantic import ValidationError

from agents.logic.drift.judgements import Judgements
from agents.logic.drift.learning import Roles
from schemas.learning import ModelRelease, ModelRole, RetrainingRequest
from schemas.topics import CLASSIFICATIONS, MODELS, TRAINING_REQUESTS
from streams.settings import Settings
from streams.tailing import TopicTail

log = logging.getLogger(__name__)


class Surroundings:
    """Keeps up with what others say; nothing is read before it is asked for."""

    def __init__(self, settings: Settings, since_ms: int) -> None:
        """Remember verdicts appended from `since_ms` on."""
        self.judgements = Judgements(settings.drift.max_judgements)
        self._verdicts = TopicTail(settings, CLASSIFICATIONS, since_ms)
        self._models = TopicTail(settings, MODELS)
        self._requests = TopicTail(settings, TRAINING_REQUESTS)
        self._releases: dict[ModelRole, ModelRelease] = {}
        self._asked: set[str] = set()

    async def refresh(self) -> None:
        """Take in every verdict up to the present end; raises BrokerError."""
        await self._verdicts.read_new(
            lambda record: self.judgements.learn(record.value, record.timestamp)
        )

    async def roles(self) -> Roles:
        """Return who serves now; raises BrokerError."""
        await self._models.read_new(self._learn_release)
        return Roles(
            self._releases.get(ModelRole.CHAMPION), self._releases.get(ModelRole.CHALLENGER)
        )

    async def was_asked(self, request_id: str) -> bool:
        """Tell whether the broker has this request already; raises BrokerError."""
        await self._requests.read_new(self._learn_request)
        return request_id in self._asked

    def _learn_release(self, record: Any) -> None:
        role = (record.key or b"").decode("utf-8", "replace")
        if role not in tuple(ModelRole):
            log.warning("models/%d stands under %r, which is no role", record.offset, role)
        elif record.value is None:
            self._releases.pop(ModelRole(role), None)
        else:
            try:
                self._releases[ModelRole(role)] = ModelRelease.from_bytes(record.value)
            except ValidationError as error:
                log.warning("models/%d is no release: %s", record.offset, error)

    def _learn_request(self, record: Any) -> None:
        if record.value is None:
            return
        try:
            self._asked.add(RetrainingRequest.from_bytes(record.value).id)
        except ValidationError as error:
            log.warning("training.requests/%d is no request: %s", record.offset, error)
