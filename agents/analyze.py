"""The analyze stage: digests and progress in, findings out; a service's state under its own key.

Comes in: LogDigest, Progress. Goes out: Finding, LedgerEntry. Promise: findings are with the
broker, then the ledger and the state record that reflect them, then the digest is acknowledged; a
digest that comes again changes nothing, one that breaks its chain goes to the dead letters.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable

from agents.delays import observe_delay
from agents.logic.judging.classifier import load_classifier
from agents.logic.windows.analyzer import Analyzer
from agents.logic.windows.grading import Grader
from agents.logic.windows.progress import ENDED, HOLD, Heard, raw_key
from agents.logic.windows.slots import RECREATED_AFTER_MS, Placement, place, totals, watermark
from agents.logic.windows.state import (
    AnalyzeRules,
    ServiceState,
)
from agents.service_states import ServiceStates
from agents.slot_traces import SlotTraces
from agents.state_codec import position_of
from schemas.digest import LogDigest, Progress, RawRange
from schemas.finding import Finding
from schemas.ledger import LedgerEntry
from schemas.topics import ANALYZE_STATE, FINDINGS, LEDGER, LOGS_DIGESTS
from schemas.vocabulary import FindingPhase
from streams import metrics
from streams.app import Stage
from streams.delivery import Delivery
from streams.errors import DecodeError
from streams.outbox import Letter
from streams.settings import AnalyzeSettings, Settings

log = logging.getLogger(__name__)

STAGE = "analyze"
FINDINGS_PARTITION = 0


def make_stage(settings: Settings) -> Stage:
    """Make the stage; nothing runs before its worker does."""
    stage = Stage(STAGE, settings)
    table = stage.table(ANALYZE_STATE, position_of)
    analyzer = Analyzer(analyze_rules(settings.analyze), _grader())
    worker = _Worker(stage, ServiceStates(table), analyzer)
    stage.consume(LOGS_DIGESTS, [LogDigest, Progress], worker.handle)
    return stage


def analyze_rules(settings: AnalyzeSettings) -> AnalyzeRules:
    """Return the bounds and durations of analysis."""
    return AnalyzeRules(
        allowed_lateness_ms=settings.allowed_lateness_ms,
        max_open_slots=settings.max_open_slots,
        max_shapes=settings.max_shapes,
        clear_after_ms=settings.clear_after_ms,
        max_conditions=settings.max_conditions,
    )


def _grader() -> Grader:
    return Grader(load_classifier())


class _Worker:
    """The handler, with what it keeps in memory beside the table."""

    def __init__(self, stage: Stage, states: ServiceStates, analyzer: Analyzer) -> None:
        self._stage = stage
        self._states = states
        self._analyzer = analyzer
        self._heard: defaultdict[int, Heard] = defaultdict(Heard)
        self._traces = SlotTraces()

    async def handle(self, delivery: Delivery) -> None:
        """Take in one record of the digests topic."""
        if isinstance(delivery.record, Progress):
            await self._take_progress(delivery, delivery.record)
        else:
            assert isinstance(delivery.record, LogDigest)
            await self._take_digest(delivery, delivery.record)

    async def _take_digest(self, delivery: Delivery, digest: LogDigest) -> None:
        held = self._states.borrow(digest.service, delivery.partition)
        state = held.state
        if held.position >= delivery.offset and digest.appended_ms <= (
            state.appended_ms + RECREATED_AFTER_MS
        ):
            # This very message was applied before; what may not have gone out then goes out again.
            self._states.give_back(held)
            if place(state, digest) is Placement.BROKEN:
                raise _broken(digest, state)
            await self._stage.outbox.publish([_ledger_letter(digest, state)])
            metrics.DIGESTS_APPLIED.labels(Placement.REPEAT).inc()
            return
        applied = self._analyzer.take(state, digest)
        if applied.placement is Placement.RECREATED:
            log.warning(
                "%s partition %d begins anew at offset %d",
                digest.source.topic, digest.source.partition, digest.source.from_offset,
            )  # fmt: skip
        self._traces.note(digest.service, digest.slot_ms, delivery.traceparent)
        findings = self._analyzer.advance(state, self._heard[delivery.partition])
        metrics.DIGESTS_APPLIED.labels("late" if applied.late else applied.placement).inc()
        if applied.placement is Placement.REPEAT and not findings:
            self._states.give_back(held)
            return
        if findings:
            await self._publish(findings)
        # The ledger's word follows from the state, and is said again when the digest comes again:
        # so it need not be there before the state is, and one wait does for both.
        await asyncio.gather(
            self._stage.outbox.publish([_ledger_letter(digest, state)]),
            self._states.write(held, delivery.partition, delivery.offset, digest.slot_ms),
        )
        _measure(findings)
        if applied.placement is Placement.BROKEN:
            raise _broken(digest, state)

    async def _take_progress(self, delivery: Delivery, progress: Progress) -> None:
        heard = self._heard[delivery.partition]
        if not heard.take(progress):
            return
        lowest_ms, windows_open = ENDED, 0
        for service in self._states.services(delivery.partition):
            held = self._states.borrow(service, delivery.partition)
            state = held.state
            lines_to_ms = state.last_line_slot_ms
            findings = self._analyzer.advance(state, heard)
            if findings:
                await self._publish(findings)
            # Quiet slots that told nothing need no record: judged again, they tell nothing again.
            if findings or state.last_line_slot_ms != lines_to_ms:
                await self._states.write(held, delivery.partition, delivery.offset)
            else:
                self._states.give_back(held)
            _measure(findings)
            windows_open += len(state.open)
            reached_ms = watermark(state, heard)
            if reached_ms != HOLD:
                lowest_ms = min(lowest_ms, reached_ms)
        label = str(delivery.partition)
        metrics.WINDOWS_OPEN.labels(label).set(windows_open)
        if lowest_ms != ENDED:
            lag_seconds = max(0, progress.sent_ms - lowest_ms) / 1000
            metrics.WATERMARK_LAG.labels(label).set(lag_seconds)

    async def _publish(self, findings: Iterable[Finding]) -> None:
        await self._stage.outbox.publish(
            _finding_letter(finding, self._traces.of(finding.service, finding.slot_ms))
            for finding in findings
        )


def _broken(digest: LogDigest, state: ServiceState) -> DecodeError:
    source = digest.source
    return DecodeError(
        "chain-broken",
        f"digest of {digest.service} for {source.topic}/{source.partition} offsets "
        f"[{source.from_offset}, {source.to_offset}) overlaps what was applied before: "
        f"{ {k: m.to_offset for k, m in state.marks.items()} }",
    )


def _finding_letter(finding: Finding, traceparent: str | None) -> Letter:
    return Letter(
        FINDINGS, finding.service, finding, finding.id, finding.slot_ms,
        partition=FINDINGS_PARTITION, traceparent=traceparent,
    )  # fmt: skip


def _ledger_letter(digest: LogDigest, state: ServiceState) -> Letter:
    mark = state.marks[raw_key(digest.source.topic, digest.source.partition)]
    entry = LedgerEntry(
        stage="analyze",
        service=digest.service,
        chain=RawRange(
            topic=digest.source.topic,
            partition=digest.source.partition,
            from_offset=mark.first,
            to_offset=mark.to_offset,
        ),
        windows=totals(mark),
    )
    event_id = f"{entry.key}|{mark.to_offset}|{mark.last_slot_ms}"
    return Letter(LEDGER, entry.key, entry, event_id, digest.slot_ms)


def _measure(findings: list[Finding]) -> None:
    for finding in findings:
        metrics.FINDINGS_OUT.labels(finding.kind, finding.phase).inc()
        if finding.phase is FindingPhase.OPENED:
            observe_delay(STAGE, finding.appended_ms, [finding.kind])
