"""What a run came to, in a form in which two runs can be compared.

Comes in: the topics of one prefix, after the run. Goes out: an Outcome. Promise: it holds what must
be a function of the lines alone, and nothing that may differ (latencies, times of the machine).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from agents.logic.accounting import Balance
from opspilot.accounting import LedgerReader
from opspilot.reading import TopicReader
from schemas.base import Record
from schemas.classification import Classification
from schemas.digest import LogDigest
from schemas.finding import Finding
from schemas.incident import Incident
from schemas.remediation import RemediationPlan
from schemas.topics import (
    CLASSIFICATIONS,
    DEAD_LETTERS,
    FINDINGS,
    INCIDENTS,
    LOGS_DIGESTS,
    REMEDIATIONS,
    Topic,
)
from streams.settings import Settings

Some = TypeVar("Some", bound=Record)


@dataclass(frozen=True)
class IncidentFacts:
    """What an incident came to."""

    service: str
    status: str
    revision: int
    count: int
    services: tuple[str, ...]
    kinds: tuple[str, ...]
    merged_into: str | None
    opened_ms: int
    resolved_ms: int | None


@dataclass(frozen=True)
class Verdict:
    """What was judged last of an incident, and which revision was planned."""

    revision: int
    category: str
    severity: str
    planned_revision: int | None


@dataclass(frozen=True)
class Outcome:
    """All of it."""

    balance: Balance
    records_written: int
    windows: dict[tuple[str, int], Counter[str]]
    """Per service and slot: events per shape, of the digests that count."""
    incidents: dict[str, IncidentFacts]
    verdicts: dict[str, Verdict]
    findings: set[str]
    repeated_digests: int
    dead_letters: int
    unreadable: int
    """Messages between the stages that no reader can use."""

    def problems(self) -> list[str]:
        """Name what cannot be right, whatever other runs say."""
        found = list(self.balance.problems)
        if self.balance.received != self.records_written:
            found.append(
                f"{self.records_written} records were written, {self.balance.received} received"
            )
        if self.balance.unread:
            found.append(f"{self.balance.unread} records were not read")
        return found

    def differences(self, reference: "Outcome") -> list[str]:
        """Name what differs from the reference."""
        return [
            *_compare("window", self.windows, reference.windows),
            *_compare("incident", self.incidents, reference.incidents),
            *_compare("verdict", self.verdicts, reference.verdicts),
        ]


def _compare(what: str, found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> list[str]:
    lines = []
    for key in {**expected, **found}:
        one, other = found.get(key), expected.get(key)
        if one != other:
            lines.append(f"{what} {key}: {one} where the undisturbed run has {other}")
    if len(lines) > 20:
        lines = [*lines[:20], f"... and {len(lines) - 20} more"]
    return lines


async def read_outcome(settings: Settings, records_written: int) -> Outcome:
    """Read what stands on the topics now."""
    async with LedgerReader(settings) as ledger:
        balance = await ledger.read()
    reading = _Reading(settings)
    windows, repeated = _windows(await reading.every(LOGS_DIGESTS, LogDigest, b'"digest"'))
    plans = {p.incident_id: p for p in await reading.last(REMEDIATIONS, RemediationPlan)}
    verdicts = {
        c.incident_id: Verdict(
            c.revision,
            c.category.value,
            c.severity.value,
            plans[c.incident_id].revision if c.incident_id in plans else None,
        )
        for c in await reading.last(CLASSIFICATIONS, Classification)
    }
    incidents = {i.id: _facts(i) for i in await reading.last(INCIDENTS, Incident)}
    findings = {f.id for f in await reading.every(FINDINGS, Finding)}
    return Outcome(
        balance=balance,
        records_written=records_written,
        windows=windows,
        incidents=incidents,
        verdicts=verdicts,
        findings=findings,
        repeated_digests=repeated,
        dead_letters=len(await _read(settings, DEAD_LETTERS)),
        unreadable=reading.unreadable,
    )


def _facts(incident: Incident) -> IncidentFacts:
    return IncidentFacts(
        service=incident.service,
        status=incident.status.value,
        revision=incident.revision,
        count=incident.count,
        services=incident.services,
        kinds=tuple(kind.value for kind in incident.kinds),
        merged_into=incident.merged_into,
        opened_ms=incident.opened_ms,
        resolved_ms=incident.resolved_ms,
    )


def _windows(digests: Iterable[LogDigest]) -> tuple[dict[tuple[str, int], Counter[str]], int]:
    """Add up what the digests say, each batch once: what a reader must see in them.

    Written apart from analyze's own marks, on purpose: a digest is named by service, slot and the
    offsets that it speaks of, and whoever makes it again must make it equal.
    """
    known: dict[tuple[str, int, str, int, int], tuple[tuple[str, int], ...]] = {}
    ranges: dict[tuple[str, int], dict[int, int]] = {}
    windows: dict[tuple[str, int], Counter[str]] = {}
    repeated = 0
    for digest in digests:
        source = digest.source
        shapes = tuple((shape.shape_id, shape.count) for shape in digest.shapes)
        name = (digest.service, digest.slot_ms, source.topic, source.partition, source.from_offset)
        ends = ranges.setdefault((source.topic, source.partition), {})
        end = ends.setdefault(source.from_offset, source.to_offset)
        assert end == source.to_offset, f"two batches begin at {source}: they end apart, {end}"
        if name in known:
            repeated += 1
            assert known[name] == shapes, f"{name} was made twice, and not equal"
            continue
        known[name] = shapes
        window = windows.setdefault((digest.service, digest.slot_ms), Counter())
        for shape_id, count in shapes:
            window[shape_id] += count
    for place, ends in ranges.items():
        reached = 0
        for begin, end in sorted(ends.items()):
            assert begin >= reached, f"batches of {place} overlap: [{begin}, {end}) after {reached}"
            reached = end
    return windows, repeated


class _Reading:
    """Reads records, and counts what is none."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.unreadable = 0

    async def last(self, topic: Topic, kind: type[Some]) -> list[Some]:
        """Return the last record of each key."""
        latest = dict(await _read(self._settings, topic))
        return self._parse(latest.values(), kind)

    async def every(self, topic: Topic, kind: type[Some], word: bytes = b"") -> list[Some]:
        """Return all records that hold `word` near their beginning."""
        values = [value for _, value in await _read(self._settings, topic)]
        return self._parse([value for value in values if word in value[:64]], kind)

    def _parse(self, values: Iterable[bytes], kind: type[Some]) -> list[Some]:
        found = []
        for value in values:
            try:
                found.append(kind.from_bytes(value))
            except ValidationError:
                self.unreadable += 1
        return found


async def _read(settings: Settings, topic: Topic) -> list[tuple[bytes | None, bytes]]:
    async with TopicReader(settings.kafka, [settings.topics.name(topic)]) as reader:
        return [(r.key, r.value) for r in await reader.read_to_end() if r.value is not None]
