"""Twenty kinds of messages that no stage can use, and who must set them aside, with which reason.

Comes in: nothing. Goes out: Poison, one per message. Each is near enough to a good message to get
as far as it can: records are real ones with one thing broken.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from schemas.classification import Classification, IncidentBrief, Judge
from schemas.digest import LogDigest, RawRange, ShapeCount
from schemas.finding import Finding
from schemas.incident import Incident, LogAnalysis
from schemas.topics import (
    CLASSIFICATIONS,
    FINDINGS,
    INCIDENTS,
    LOGS_DIGESTS,
    LOGS_RAW,
    Topic,
)
from schemas.vocabulary import (
    Category,
    FindingKind,
    FindingPhase,
    IncidentStatus,
    Priority,
    Severity,
)

NOBODY = "poison/poison/poison"
HUGE_BYTES = 1_900_000
LARGE_BYTES = 60_000


@dataclass(frozen=True)
class Poison:
    """One message, where it goes, and what must be said of it."""

    kind: str
    topic: Topic
    stage: str
    reason: str
    key: bytes | None
    value: bytes | None


Maker = Callable[[int], bytes | None]


def _json(record: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(record.to_bytes())
    return found


def _dump(document: Any) -> bytes:
    return json.dumps(document).encode()


def digest(number: int) -> dict[str, Any]:
    """Return a good digest of a service that does not exist."""
    source = RawRange(topic="elsewhere", partition=0, from_offset=number, to_offset=number + 1)
    shape = ShapeCount(shape_id="00", shape="x", count=1, first_ms=0, last_ms=0)
    record = LogDigest(
        service=NOBODY, slot_ms=number * 10_000, source=source, raw_partitions=1,
        records=1, events=1, shapes=(shape,), clock_ms=0, appended_ms=0, shaper="1",
        settings_hash="0",
    )  # fmt: skip
    return _json(record)


def finding(number: int) -> dict[str, Any]:
    """Return a good finding."""
    record = Finding(
        id=f"f{number}", condition_id=f"c{number}", service=NOBODY,
        kind=FindingKind.BURST, phase=FindingPhase.OPENED, sequence=0, fingerprint="p",
        opened_ms=0, slot_ms=0, last_ms=0, count=1, observed=1.0, expected=0.0, unit="events",
        score=0.5, statement="a burst",
    )  # fmt: skip
    return _json(record)


def _analysis() -> LogAnalysis:
    return LogAnalysis(summary="s", severity=Severity.LOW)


def incident(number: int) -> dict[str, Any]:
    """Return a good incident."""
    record = Incident(
        id=f"poison-{number}", revision=1, status=IncidentStatus.OPEN, service=NOBODY,
        services=(NOBODY,), fingerprint="p", title="t", opened_ms=0, updated_ms=0,
        count=1, analysis=_analysis(),
    )  # fmt: skip
    return _json(record)


def classification(number: int) -> dict[str, Any]:
    """Return a good classification."""
    brief = IncidentBrief(
        service=NOBODY, services=(NOBODY,), title="t",
        status=IncidentStatus.OPEN, opened_ms=0, count=1, analysis=_analysis(),
    )  # fmt: skip
    record = Classification(
        incident_id=f"poison-{number}", revision=1, category=Category.NETWORK, subcategory="x",
        severity=Severity.LOW, priority=Priority.P4, confidence=0.5, summary="s",
        judge=Judge(backend="baseline", model="m"), incident=brief,
    )  # fmt: skip
    return _json(record)


def _without(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != name}


def _nan(number: int) -> bytes:
    return _dump(finding(number) | {"observed": float("nan")})


def _huge(number: int) -> bytes:
    size = HUGE_BYTES if number == 0 else LARGE_BYTES
    return _dump(incident(number) | {"title": "x" * size})


_RAW, _DIGESTS = (LOGS_RAW, "ingest"), (LOGS_DIGESTS, "analyze")
_FINDINGS, _INCIDENTS = (FINDINGS, "correlate"), (INCIDENTS, "classify")
_VERDICTS = (CLASSIFICATIONS, "recommend")
_INVALID = "invalid-record"

KINDS: tuple[tuple[str, tuple[Topic, str], str, Maker], ...] = (
    ("binary", _RAW, "binary", lambda n: bytes([n % 8, 1, 2, 3, 0xFE, 0, 7, 0x1B]) * 16),
    ("torn envelope", _RAW, "json", lambda n: b'{"fb_source":"nobody","log":"half %d' % n),
    ("deep envelope", _RAW, "json", lambda n: b'{"log":' + b"[" * 50_000),
    ("otlp that is none", _RAW, "otlp", lambda n: b'{"resourceLogs":"words %d"}' % n),
    ("no value", _RAW, "null", lambda n: None),
    ("not json", _DIGESTS, _INVALID, lambda n: b"digest %d, or so" % n),
    ("array", _DIGESTS, _INVALID, lambda n: _dump([digest(n)])),
    ("unknown type", _DIGESTS, _INVALID, lambda n: _dump(digest(n) | {"type": "gossip"})),
    ("future schema", _DIGESTS, _INVALID, lambda n: _dump(digest(n) | {"schemaVersion": "9.0"})),
    ("missing field", _DIGESTS, _INVALID, lambda n: _dump(_without(digest(n), "slotMs"))),
    ("negative count", _DIGESTS, _INVALID, lambda n: _dump(digest(n) | {"records": -n - 1})),
    ("utf-16", _DIGESTS, _INVALID, lambda n: json.dumps(digest(n)).encode("utf-16")),
    ("wrong enum", _FINDINGS, _INVALID, lambda n: _dump(finding(n) | {"kind": "gremlin"})),
    ("not a number", _FINDINGS, _INVALID, _nan),
    ("wrong type", _FINDINGS, _INVALID, lambda n: _dump(finding(n) | {"count": {"of": "many"}})),
    ("truncated", _INCIDENTS, _INVALID, lambda n: _dump(incident(n))[:-20]),
    ("huge", _INCIDENTS, _INVALID, _huge),
    ("deep", _INCIDENTS, _INVALID, lambda n: b'{"type":"incident","id":' + b"[" * 10_000),
    ("share over one", _VERDICTS, _INVALID, lambda n: _dump(classification(n) | {"confidence": 7})),
    ("scalar", _VERDICTS, _INVALID, lambda n: b"%d" % n),
)  # fmt: skip


def poison(each: int) -> Iterator[Poison]:
    """Yield `each` messages of every kind, the kinds in turn; some have no key."""
    for number in range(each):
        for kind, (topic, stage), reason, make in KINDS:
            key = f"poison-{kind}-{number}".encode() if number % 5 else None
            if topic in (INCIDENTS, CLASSIFICATIONS):
                # A compacted topic takes no message without a key.
                key = f"poison-{kind}-{number}".encode()
            yield Poison(kind, topic, stage, reason, key, make(number))
