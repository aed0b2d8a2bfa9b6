"""Every setting, read once from the environment into one frozen object.

Comes in: variables `OPSPILOT_SECTION__NAME`. Goes out: Settings, or one sentence that names the
variable, its value and what it must be. Secrets never show in `repr`, logs or errors.
"""

import os
import re
from enum import StrEnum
from pathlib import Path

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from schemas.topics import Topic, Width
from streams.errors import ConfigurationError
from streams.judgesettings import JudgeSettings
from streams.learningsettings import DriftSettings, FeedbackSettings
from streams.mistakes import explain, strangers, unreadable_lists
from streams.modelsettings import ModelSettings
from streams.releasesettings import ReleaseSettings
from streams.section import PREFIX, Positive, Section
from streams.tracingsettings import TracingSettings
from streams.trainingsettings import TrainingSettings


class SecurityProtocol(StrEnum):
    """How clients speak to Kafka."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"


class SaslMechanism(StrEnum):
    """How clients say who they are."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"
    OAUTHBEARER = "OAUTHBEARER"


class KafkaSettings(Section):
    """Where Kafka is and how to speak to it."""

    bootstrap: str = Field(
        default="127.0.0.1:9092",
        pattern=r"^[^\s,:/]+:\d{1,5}(,[^\s,:/]+:\d{1,5})*$",
        description="HOST:PORT, comma-separated.",
    )
    security_protocol: SecurityProtocol = Field(
        default=SecurityProtocol.PLAINTEXT,
        description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.",
    )
    sasl_mechanism: SaslMechanism = Field(
        default=SaslMechanism.PLAIN,
        description="PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.",
    )
    sasl_username: str | None = Field(default=None, description="Who we are, for PLAIN and SCRAM.")
    sasl_password: SecretStr | None = Field(
        default=None, description="The secret of `sasl_username`."
    )
    oauth_token_url: str | None = Field(
        default=None, description="OAuth 2.0 token endpoint (client credentials) for OAUTHBEARER."
    )
    oauth_client_id: str | None = Field(
        default=None, description="Client id at the token endpoint."
    )
    oauth_client_secret: SecretStr | None = Field(default=None, description="Its secret.")
    oauth_scope: str | None = Field(default=None, description="Scope to ask for.")
    ca_file: Path | None = Field(default=None, description="PEM of the authority to trust.")
    cert_file: Path | None = Field(default=None, description="PEM of our certificate, for mTLS.")
    key_file: Path | None = Field(
        default=None, description="PEM of the private key of `cert_file`."
    )
    key_password: SecretStr | None = Field(
        default=None, description="What the private key is encrypted with."
    )
    session_timeout_ms: Positive = Field(
        default=30_000,
        description="After this long without a heartbeat a member has lost its partitions.",
    )
    request_timeout_ms: Positive = Field(
        default=30_000, description="How long one request to Kafka may take."
    )
    compression: str = Field(
        default="lz4",
        pattern="^(none|gzip|snappy|lz4|zstd)$",
        description="Of what we publish: none, gzip, snappy, lz4, zstd.",
    )

    @model_validator(mode="after")
    def _complete(self) -> "KafkaSettings":
        sasl = self.security_protocol in (
            SecurityProtocol.SASL_PLAINTEXT,
            SecurityProtocol.SASL_SSL,
        )
        if sasl and self.sasl_mechanism is SaslMechanism.OAUTHBEARER:
            missing = [n for n in ("oauth_token_url", "oauth_client_id") if not getattr(self, n)]
        elif sasl:
            missing = [n for n in ("sasl_username", "sasl_password") if not getattr(self, n)]
        else:
            missing = []
        if missing:
            names = ", ".join(f"{PREFIX}KAFKA__{name.upper()}" for name in missing)
            msg = f"{self.security_protocol} with {self.sasl_mechanism} also needs {names}"
            raise ValueError(msg)
        if bool(self.cert_file) != bool(self.key_file):
            given, lacking = ("CERT", "KEY") if self.cert_file else ("KEY", "CERT")
            msg = f"{PREFIX}KAFKA__{given}_FILE also needs {PREFIX}KAFKA__{lacking}_FILE"
            raise ValueError(msg)
        return self


class TopicSettings(Section):
    """Names and widths of the topics; a width cannot change without moving the data."""

    prefix: str = Field(
        default="opspilot.",
        pattern=r"^[a-zA-Z0-9._-]*$",
        description="What all topic names begin with.",
    )
    raw_partitions: Positive = Field(default=6, description="Partitions of `logs.raw`.")
    digest_partitions: Positive = Field(
        default=6,
        description="Partitions of digests: the most analyze workers that can share the work.",
    )
    incident_partitions: Positive = Field(
        default=8,
        description="Partitions of incidents, verdicts and plans: the most judge workers.",
    )
    replication: Positive = Field(
        default=1, description="Replicas of each partition; 3 in production."
    )

    def name(self, topic: Topic) -> str:
        """Return the full name of `topic`."""
        return self.prefix + topic.short

    def partitions(self, topic: Topic) -> int:
        """Return how many partitions `topic` has."""
        widths = {
            Width.RAW: self.raw_partitions,
            Width.DIGESTS: self.digest_partitions,
            Width.INCIDENTS: self.incident_partitions,
            Width.ONE: 1,
        }
        return widths[topic.width]


class IngestSettings(Section):
    """How raw lines are read and reduced."""

    topics: tuple[str, ...] = Field(
        default=(), description="Raw topics to read; empty: the prefix and logs.raw."
    )
    topic_pattern: str | None = Field(
        default=None, description="A regular expression of raw topics, instead of `topics`."
    )
    batch_records: Positive = Field(
        default=20_000,
        description="Most records taken at once: memory and cost per line depend on it.",
    )
    batch_wait_ms: Positive = Field(default=500, description="How long to wait for records.")
    progress_interval_ms: Positive = Field(
        default=2_000, description="How often each member says how far it is: part of the delay."
    )
    max_line_bytes: Positive = Field(
        default=1 << 20, description="Longer lines are cut, and counted."
    )
    examples_per_shape: Positive = Field(
        default=16, description="Example lines kept per shape and digest."
    )
    shapes_per_digest: Positive = Field(
        default=256, description="Shapes per digest; the rest is counted together."
    )
    slots_per_batch: Positive = Field(
        default=4_096, description="Ten-second slots of event time per batch."
    )
    future_tolerance_ms: Positive = Field(
        default=300_000,
        description="A line stamped later than this after its append gets the append time.",
    )
    default_environment: str = Field(default="default", description="Where a record names none.")
    default_namespace: str = Field(default="default", description="Where a record names none.")
    default_service: str = Field(default="unknown", description="Where a record names none.")
    environment_fields: tuple[str, ...] = Field(
        default=("env", "environment", "deployment.environment"),
        description="JSON fields that may hold the environment.",
    )
    namespace_fields: tuple[str, ...] = Field(
        default=("namespace",), description="JSON fields that may hold the namespace."
    )
    service_fields: tuple[str, ...] = Field(
        default=("fb_source", "service", "service.name", "app"),
        description="JSON fields that may hold the service.",
    )
    instance_fields: tuple[str, ...] = Field(
        default=("instance", "pod", "hostname", "host"),
        description="JSON fields that may hold the instance.",
    )
    message_fields: tuple[str, ...] = Field(
        default=("log", "message", "msg", "MESSAGE", "short_message"),
        description="JSON fields that may hold the line.",
    )
    time_fields: tuple[str, ...] = Field(
        default=("fb_ts", "time", "timestamp", "@timestamp", "ts"),
        description="JSON fields that may hold the event time.",
    )
    level_fields: tuple[str, ...] = Field(
        default=("level", "severity", "log.level", "PRIORITY"),
        description="JSON fields that may hold the level.",
    )
    redact_ips: bool = Field(default=False, description="Also redact IP addresses.")

    @field_validator("topic_pattern")
    @classmethod
    def _is_a_pattern(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"must be a regular expression ({error})") from None
        return pattern

    @model_validator(mode="after")
    def _one_way_to_name_topics(self) -> "IngestSettings":
        if self.topics and self.topic_pattern:
            names = f"{PREFIX}INGEST__TOPICS and {PREFIX}INGEST__TOPIC_PATTERN"
            raise ValueError(f"{names} exclude each other: unset one")
        return self


class AnalyzeSettings(Section):
    """How digests are windowed and judged."""

    allowed_lateness_ms: Positive = Field(
        default=5_000, description="How long a slot waits for stragglers: part of the delay."
    )
    max_open_slots: Positive = Field(default=4_096, description="Slots kept open per service.")
    max_shapes: Positive = Field(default=1_000, description="Shapes remembered per service.")
    clear_after_ms: Positive = Field(
        default=300_000, description="A condition clears after so much quiet event time."
    )
    max_conditions: Positive = Field(
        default=20, description="Conditions open at once per service: a noisy one must not flood."
    )


class CorrelateSettings(Section):
    """How findings become incidents."""

    join_window_ms: Positive = Field(
        default=60_000,
        description="Conditions of one service that open within this time are one incident.",
    )
    reopen_within_ms: Positive = Field(
        default=3_600_000, description="The same trouble within this time reopens its incident."
    )
    max_revisions: Positive = Field(default=6, description="Judgements per incident at most.")
    max_timeline: Positive = Field(default=50, description="Entries of an incident's timeline.")
    max_live: Positive = Field(default=1_000, description="Conditions that may still change.")


class WorkerSettings(Section):
    """What every worker process has."""

    host: str = Field(default="127.0.0.1", description="Address of /metrics, /readyz, /healthz.")
    port: int = Field(default=0, ge=0, le=65_535, description="0: any free port.")
    stalled_after_ms: Positive = Field(
        default=120_000, description="/healthz fails after so long with lag and nothing done."
    )
    log_level: str = Field(
        default="warn",
        pattern="^(crit|error|warn|info|debug)$",
        description="crit, error, warn, info or debug.",
    )
    data_folder: Path = Field(
        default=Path(".opspilot/work"), description="Where a worker may write."
    )


class Settings(BaseSettings):
    """All settings of one process."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    kafka: KafkaSettings = KafkaSettings()
    topics: TopicSettings = TopicSettings()
    ingest: IngestSettings = IngestSettings()
    analyze: AnalyzeSettings = AnalyzeSettings()
    correlate: CorrelateSettings = CorrelateSettings()
    judge: JudgeSettings = JudgeSettings()
    model: ModelSettings = ModelSettings()
    feedback: FeedbackSettings = FeedbackSettings()
    drift: DriftSettings = DriftSettings()
    release: ReleaseSettings = ReleaseSettings()
    training: TrainingSettings = TrainingSettings()
    tracing: TracingSettings = TracingSettings()
    worker: WorkerSettings = WorkerSettings()


def load_settings() -> Settings:
    """Read the environment; raises ConfigurationError that names the variable and what is wrong."""
    problems = list(strangers(os.environ, PREFIX, Settings.model_fields))
    if problems:
        raise ConfigurationError("; ".join(problems))
    try:
        settings = Settings()
    except ValidationError as error:
        raise ConfigurationError(explain(error, PREFIX, Settings.model_fields)) from None
    except SettingsError:
        problems = list(unreadable_lists(os.environ, PREFIX, Settings.model_fields))
        raise ConfigurationError("; ".join(problems)) from None
    model = settings.model.with_hub_token(os.environ.get("HF_TOKEN"))
    return settings.model_copy(update={"model": model})
