"""The whole pipeline in one process, without Kafka: lines in, findings and judged incidents out.

Comes in: raw records per service. Goes out: findings, incidents, and on request verdicts. Promise:
the same code as the stages, in the same order; pure, so that scenarios and evaluations use it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from agents.logic.incidents.correlation import IncidentRules, IncidentState, apply_finding
from agents.logic.incidents.episodes import EpisodeRules
from agents.logic.windows.analyzer import Analyzer
from agents.logic.windows.grading import Grader
from agents.logic.windows.progress import Heard
from agents.logic.windows.state import AnalyzeRules, ServiceState
from schemas.digest import LogDigest, PartitionProgress, Progress
from schemas.finding import Finding
from schemas.incident import Incident
from streams.ingest.batch import RawBatch, ReducerOptions
from streams.ingest.reduce import Reducer

TOPIC = "logs.raw"
BATCH_RECORDS = 5_000
INCIDENT_RULES = IncidentRules(EpisodeRules(60_000, 3_600_000), 6, 50, 1_000)


@dataclass(frozen=True, slots=True)
class Line:
    """One line as a shipper would send it; `append_ms` is when the broker would have got it.

    Without a service, `text` is the whole record as it is.
    """

    service: str
    text: str
    append_ms: int
    instance: str = ""


@dataclass(slots=True)
class Outcome:
    """All that came of the lines."""

    findings: list[Finding] = field(default_factory=list)
    incidents: dict[str, Incident] = field(default_factory=dict)
    states: dict[str, ServiceState] = field(default_factory=dict)


def run_lines(
    lines: Sequence[Line],
    grader: Grader,
    *,
    rules: AnalyzeRules | None = None,
    batch_records: int = BATCH_RECORDS,
    ended: bool = True,
) -> Outcome:
    """Take lines through ingest, analyze and correlate, as one raw partition in their order."""
    reducer = Reducer(ReducerOptions())
    outcome = Outcome()
    feed = Feed(Analyzer(rules or AnalyzeRules(), grader), outcome)
    clock_ms = sent_ms = 0
    for start in range(0, len(lines), batch_records):
        batch = raw_batch(lines[start : start + batch_records], start)
        reduced = reducer.reduce(batch)
        clock_ms = max(clock_ms, reduced.clock_ms)
        sent_ms = max(sent_ms, *batch.append_ms) + 10_000
        for digest in sorted(reduced.digests, key=lambda d: (d.service, d.slot_ms)):
            feed.digest(digest)
        feed.progress(progress(batch.to_offset, clock_ms, sent_ms, ended=False))
    if ended:
        feed.progress(progress(len(lines), clock_ms, sent_ms + 10_000, ended=True))
    correlate(outcome)
    return outcome


class Feed:
    """Gives digests and progress to an analyzer, as one partition of the digests topic would."""

    def __init__(self, analyzer: Analyzer, outcome: Outcome) -> None:
        self._analyzer = analyzer
        self._outcome = outcome
        self._heard = Heard()

    def digest(self, digest: LogDigest) -> None:
        """Apply one digest."""
        state = self._outcome.states.setdefault(digest.service, ServiceState(digest.service))
        self._analyzer.take(state, digest)
        self._outcome.findings += self._analyzer.advance(state, self._heard)

    def progress(self, record: Progress) -> None:
        """Apply one progress record to all services."""
        self._heard.take(record)
        for service in sorted(self._outcome.states):
            state = self._outcome.states[service]
            self._outcome.findings += self._analyzer.advance(state, self._heard)


def correlate(outcome: Outcome, rules: IncidentRules = INCIDENT_RULES) -> None:
    """Turn the findings into incidents; the last record of each stays."""
    state = IncidentState()
    for offset, finding in enumerate(outcome.findings):
        state, changed = apply_finding(state, finding, offset, rules, {})
        outcome.incidents.update((incident.id, incident) for incident in changed)


def raw_batch(
    lines: Sequence[Line], from_offset: int, *, partition: int = 0, raw_partitions: int = 1
) -> RawBatch:
    """Return lines as records with consecutive offsets."""
    return RawBatch(
        topic=TOPIC,
        partition=partition,
        from_offset=from_offset,
        to_offset=from_offset + len(lines),
        offsets=list(range(from_offset, from_offset + len(lines))),
        append_ms=[line.append_ms for line in lines],
        keys=[f"{line.service}/{line.instance}".encode() for line in lines],
        values=[_value(line) for line in lines],
        raw_partitions=raw_partitions,
    )


def _value(line: Line) -> bytes:
    if not line.service:
        return line.text.encode()
    return msgspec.json.encode(
        {"log": line.text, "service": line.service, "instance": line.instance}
    )


def progress(
    offset: int, clock_ms: int, sent_ms: int, *, ended: bool, partition: int = 0, of: int = 1
) -> Progress:
    """Return what ingest would say of one raw partition."""
    told = PartitionProgress(
        topic=TOPIC,
        partition=partition,
        offset=offset,
        clock_ms=clock_ms,
        caught_up=True,
        ended=ended,
    )
    return Progress(partitions=(told,), raw_partitions=of, sent_ms=sent_ms)
