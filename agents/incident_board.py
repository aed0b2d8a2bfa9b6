"""Keeps the gauges of open incidents by service and by category.

Comes in: what correlate knows; the verdicts, read without a group from the time of the oldest
incident that may still change. Goes out: opspilot_open_incidents*. Promise: remembers the category
of open incidents alone; what it cannot read it says in the log; it ends no stage.
"""

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from agents.logic.incidents.board import make_board, open_services, since_ms
from agents.logic.incidents.correlation import IncidentState
from agents.logic.incidents.episodes import EpisodeRules
from schemas.topics import CLASSIFICATIONS
from schemas.vocabulary import Category
from streams import metrics
from streams.errors import BrokerError
from streams.settings import Settings
from streams.tailing import TopicTail

log = logging.getLogger(__name__)

EARLIER_MS = 600_000
"""An event may be dated some minutes after its append: so much earlier reading begins."""


class _Verdict(msgspec.Struct, rename="camel"):
    incident_id: str
    category: Category


_decoder = msgspec.json.Decoder(_Verdict)


class IncidentBoard:
    """Which incidents are open, as of the last look."""

    def __init__(
        self, settings: Settings, rules: EpisodeRules, read_state: Callable[[], IncidentState]
    ) -> None:
        self._settings = settings
        self._rules = rules
        self._read_state = read_state
        self._verdicts: TopicTail | None = None
        self._categories: dict[str, str] = {}
        self._named: list[str] = []

    async def tend(self) -> None:
        """Take in what is new and set the gauges."""
        if self._verdicts is None:
            begin_ms = max(0, since_ms(self._read_state()) - EARLIER_MS)
            self._verdicts = TopicTail(self._settings, CLASSIFICATIONS, begin_ms)
        try:
            await self._verdicts.read_new(self._learn)
        except BrokerError as error:
            log.warning("the categories of open incidents may be old: %s", error)
        # Asked for after the verdicts: an incident is in the state before anybody has judged it.
        services = open_services(self._read_state(), self._rules)
        self._categories = {i: c for i, c in self._categories.items() if i in services}
        board = make_board(services, self._categories, self._named)
        self._named = [name for name in board.by_service if name in services.values()]
        for gauge, counts in (
            (metrics.OPEN_BY_SERVICE, board.by_service),
            (metrics.OPEN_BY_CATEGORY, board.by_category),
        ):
            gauge.clear()
            for name, count in counts.items():
                gauge.labels(name).set(count)

    def _learn(self, record: Any) -> None:
        if record.value is None:
            return
        try:
            verdict = _decoder.decode(record.value)
        except msgspec.MsgspecError:
            return
        self._categories[verdict.incident_id] = verdict.category.value
