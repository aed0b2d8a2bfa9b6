"""The one map of topics: name, key, records, partitions, cleanup, retention, segment size.

Everything that creates, writes, reads, documents or draws a topic takes it from here; the
changelogs of Faust's tables stand in it too: they need the partition counts of their sources.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from schemas.base import Record
from schemas.classification import Classification
from schemas.digest import LogDigest, Progress
from schemas.finding import Finding
from schemas.incident import Incident
from schemas.investigation import Investigation
from schemas.learning import (
    BaselineArtefact,
    DriftScore,
    Feedback,
    ModelRelease,
    RetrainingRequest,
    RetrainingResult,
)
from schemas.ledger import LedgerEntry
from schemas.remediation import RemediationPlan
from schemas.services import ServiceInfo

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
FOR_EVER = -1
MIB = 1 << 20


class Cleanup(StrEnum):
    """Kafka's `cleanup.policy`."""

    DELETE = "delete"
    COMPACT = "compact"
    COMPACT_DELETE = "compact,delete"


class Width(StrEnum):
    """Which setting gives a topic its partition count; equal widths are co-partitioned."""

    RAW = "raw"
    DIGESTS = "digests"
    INCIDENTS = "incidents"
    ONE = "one"


WIDTH_SETTINGS: Mapping[Width, str] = MappingProxyType(
    {
        Width.RAW: "OPSPILOT_TOPICS__RAW_PARTITIONS",
        Width.DIGESTS: "OPSPILOT_TOPICS__DIGEST_PARTITIONS",
        Width.INCIDENTS: "OPSPILOT_TOPICS__INCIDENT_PARTITIONS",
    }
)
"""The variable that gives each width its count; a width that is not here is always one."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it must exist; `short` lacks the prefix."""

    short: str
    key: str
    what: str
    width: Width
    cleanup: Cleanup
    retention_ms: int
    records: tuple[type[Record], ...] = ()
    max_message_bytes: int = 2 * MIB
    extra: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def config(self) -> dict[str, str]:
        """Return Kafka's topic settings.

        Append time is the broker's, so that no foreign stamp expires a record or is refused; small
        segments, because compaction and retention only touch closed ones.
        """
        settings = {
            "cleanup.policy": self.cleanup.value,
            "retention.ms": str(self.retention_ms),
            "segment.bytes": str(16 * MIB if self.cleanup is not Cleanup.DELETE else 256 * MIB),
            "segment.ms": str(600_000 if self.cleanup is not Cleanup.DELETE else HOUR_MS),
            "max.message.bytes": str(self.max_message_bytes),
            "message.timestamp.type": "LogAppendTime",
            **self.extra,
        }
        if self.cleanup is not Cleanup.DELETE:
            settings["min.cleanable.dirty.ratio"] = "0.1"
        return settings


def _changelog(short: str, width: Width, what: str) -> Topic:
    return Topic(
        short, "the table's key", what, width, Cleanup.COMPACT, FOR_EVER, max_message_bytes=8 * MIB
    )


_RECENT, _JUDGED = 7 * DAY_MS, 90 * DAY_MS

LOGS_RAW = Topic(
    "logs.raw",
    "service and instance",
    "Whatever the shipper wrote: one log line, or one batch of OTLP.",
    Width.RAW,
    Cleanup.DELETE,
    DAY_MS,
    max_message_bytes=4 * MIB,
)
LOGS_DIGESTS = Topic(
    "logs.digests",
    "service",
    "Lines reduced to counts per shape, and how far each raw partition is.",
    Width.DIGESTS,
    Cleanup.DELETE,
    DAY_MS,
    (LogDigest, Progress),
)
FINDINGS = Topic(
    "findings",
    "service",
    "Steps in the life of abnormal conditions, each with its evidence.",
    Width.ONE,
    Cleanup.DELETE,
    _RECENT,
    (Finding,),
)
INCIDENTS = Topic(
    "incidents",
    "incident id",
    "The present state of each incident, with its analysis.",
    Width.INCIDENTS,
    Cleanup.COMPACT_DELETE,
    _JUDGED,
    (Incident,),
)
CLASSIFICATIONS = Topic(
    "classifications",
    "incident id",
    "The verdict on the latest judged revision of each incident.",
    Width.INCIDENTS,
    Cleanup.COMPACT_DELETE,
    _JUDGED,
    (Classification,),
)
REMEDIATIONS = Topic(
    "remediations",
    "incident id",
    "The plan for the latest judged revision of each incident.",
    Width.INCIDENTS,
    Cleanup.COMPACT_DELETE,
    _JUDGED,
    (RemediationPlan,),
)
INVESTIGATIONS = Topic(
    "investigations",
    "incident id",
    "How an incident was looked into, step by step, and what came of it.",
    Width.ONE,
    Cleanup.COMPACT_DELETE,
    _JUDGED,
    (Investigation,),
)
SERVICES = Topic(
    "services",
    "service",
    "What people know of a service: owner, platform, dependencies, runbooks.",
    Width.ONE,
    Cleanup.COMPACT,
    FOR_EVER,
    (ServiceInfo,),
)
FEEDBACK = Topic(
    "feedback",
    "incident id, author",
    "What people say of the verdicts; the latest word of each on each incident.",
    Width.ONE,
    # Compacted, so that a person can be erased by tombstones (docs/decisions/0010-feedback.md).
    Cleanup.COMPACT,
    FOR_EVER,
    (Feedback,),
    extra=MappingProxyType(
        {"min.compaction.lag.ms": str(HOUR_MS), "max.compaction.lag.ms": str(DAY_MS)}
    ),
)
DRIFT = Topic(
    "drift",
    "model and adapter",
    "How far each model and adapter have drifted.",
    Width.ONE,
    Cleanup.COMPACT,
    FOR_EVER,
    (DriftScore,),
)
TRAINING_REQUESTS = Topic(
    "training.requests",
    "model",
    "Wishes for a better adapter, one per drift episode.",
    Width.ONE,
    Cleanup.DELETE,
    30 * DAY_MS,
    (RetrainingRequest,),
)
TRAINING_RESULTS = Topic(
    "training.results",
    "model",
    "What came of each request, with progress.",
    Width.ONE,
    Cleanup.DELETE,
    30 * DAY_MS,
    (RetrainingResult,),
)
MODELS = Topic(
    "models",
    "role",
    "Which model and adapter serve as champion and challenger.",
    Width.ONE,
    Cleanup.COMPACT,
    FOR_EVER,
    (ModelRelease,),
)
BASELINES = Topic(
    "baselines",
    "name of the release",
    "Baselines fitted anew from feedback, for the stages that judge by them.",
    Width.ONE,
    Cleanup.COMPACT,
    FOR_EVER,
    (BaselineArtefact,),
    max_message_bytes=4 * MIB,
)
DEAD_LETTERS = Topic(
    "dead-letters",
    "as in the source",
    "What could not be processed: key and value untouched, all else in headers.",
    Width.ONE,
    Cleanup.DELETE,
    14 * DAY_MS,
    max_message_bytes=5 * MIB,
)
LEDGER = Topic(
    "ledger",
    "stage, raw partition, service",
    "Cumulative counts per stage, chained by offsets.",
    Width.ONE,
    Cleanup.COMPACT,
    FOR_EVER,
    (LedgerEntry,),
)
ANALYZE_STATE = _changelog(
    "analyze.state", Width.DIGESTS, "Windows, baselines and open conditions of each service."
)
CORRELATE_STATE = _changelog(
    "correlate.state", Width.ONE, "Findings and incidents that may still change."
)
DRIFT_STATE = _changelog(
    "drift.state", Width.ONE, "The words on verdicts in the window, and drift episodes."
)

TOPICS: Mapping[str, Topic] = MappingProxyType(
    {
        topic.short: topic
        for topic in (
            LOGS_RAW,
            LOGS_DIGESTS,
            FINDINGS,
            INCIDENTS,
            CLASSIFICATIONS,
            REMEDIATIONS,
            INVESTIGATIONS,
            SERVICES,
            FEEDBACK,
            DRIFT,
            TRAINING_REQUESTS,
            TRAINING_RESULTS,
            MODELS,
            BASELINES,
            DEAD_LETTERS,
            LEDGER,
            ANALYZE_STATE,
            CORRELATE_STATE,
            DRIFT_STATE,
        )
    }
)
