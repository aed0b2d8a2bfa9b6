"""Every setting, read once from the environment into one frozen object.

Comes in: variables `OPSPILOT_SECTION__NAME`. Goes out: Settings, or one sentence that names the
variable, its value and what it must be. Secrets never show in `repr`, logs or errors.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.topics import Topic, Width
from streams.errors import ConfigurationError

PREFIX = "OPSPILOT_"
Positive = Annotated[int, Field(gt=0)]


class Section(BaseModel):
    """A group of settings: frozen, and strict about names so that a typing mistake is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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

    bootstrap: str = Field(default="127.0.0.1:9092", description="HOST:PORT, comma-separated.")
    security_protocol: SecurityProtocol = SecurityProtocol.PLAINTEXT
    sasl_mechanism: SaslMechanism = SaslMechanism.PLAIN
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    oauth_token_url: str | None = Field(
        default=None, description="OAuth 2.0 token endpoint (client credentials) for OAUTHBEARER."
    )
    oauth_client_id: str | None = None
    oauth_client_secret: SecretStr | None = None
    oauth_scope: str | None = None
    ca_file: Path | None = Field(default=None, description="PEM of the authority to trust.")
    cert_file: Path | None = Field(default=None, description="PEM of our certificate, for mTLS.")
    key_file: Path | None = None
    key_password: SecretStr | None = None
    session_timeout_ms: Positive = 30_000
    request_timeout_ms: Positive = 30_000
    compression: str = Field(default="lz4", pattern="^(none|gzip|snappy|lz4|zstd)$")

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
        if bool(self.cert_file) != bool(self.key_file):
            missing.append("key_file" if self.cert_file else "cert_file")
        if missing:
            names = ", ".join(f"{PREFIX}KAFKA__{name.upper()}" for name in missing)
            msg = f"{self.security_protocol} with {self.sasl_mechanism} also needs {names}"
            raise ValueError(msg)
        return self


class TopicSettings(Section):
    """Names and widths of the topics; a width cannot change without moving the data."""

    prefix: str = Field(default="opspilot.", pattern=r"^[a-zA-Z0-9._-]*$")
    raw_partitions: Positive = 6
    digest_partitions: Positive = 6
    incident_partitions: Positive = 8
    replication: Positive = 1

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
    batch_records: Positive = 20_000
    batch_wait_ms: Positive = 500
    progress_interval_ms: Positive = 2_000
    commit_retries: Positive = 5
    max_line_bytes: Positive = 1 << 20
    examples_per_shape: Positive = 16
    shapes_per_digest: Positive = 256
    slots_per_batch: Positive = 4_096
    future_tolerance_ms: Positive = 300_000
    default_environment: str = "default"
    default_namespace: str = "default"
    default_service: str = "unknown"
    environment_fields: tuple[str, ...] = ("env", "environment", "deployment.environment")
    namespace_fields: tuple[str, ...] = ("namespace",)
    service_fields: tuple[str, ...] = ("fb_source", "service", "service.name", "app")
    instance_fields: tuple[str, ...] = ("instance", "pod", "hostname", "host")
    message_fields: tuple[str, ...] = ("log", "message", "msg", "MESSAGE", "short_message")
    time_fields: tuple[str, ...] = ("fb_ts", "time", "timestamp", "@timestamp", "ts")
    level_fields: tuple[str, ...] = ("level", "severity", "log.level", "PRIORITY")
    redact_ips: bool = False


class AnalyzeSettings(Section):
    """How digests are windowed and judged."""

    allowed_lateness_ms: Positive = 5_000
    max_open_slots: Positive = 4_096
    max_shapes: Positive = 1_000
    clear_after_ms: Positive = 300_000


class CorrelateSettings(Section):
    """How findings become incidents."""

    join_window_ms: Positive = 60_000
    reopen_within_ms: Positive = 3_600_000
    max_revisions: Positive = 6
    max_timeline: Positive = 50
    max_live: Positive = 1_000


class JudgeSettings(Section):
    """How incidents are judged and planned."""

    abstain_below: float = Field(default=0.35, ge=0, le=1)
    runbook_folders: tuple[Path, ...] = ()


class WorkerSettings(Section):
    """What every worker process has."""

    host: str = Field(default="127.0.0.1", description="Address of /metrics, /readyz, /healthz.")
    port: int = Field(default=0, ge=0, le=65_535, description="0: any free port.")
    stalled_after_ms: Positive = 120_000
    log_level: str = Field(default="warn", pattern="^(crit|error|warn|info|debug)$")
    data_folder: Path = Path(".opspilot/work")


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
    worker: WorkerSettings = WorkerSettings()


def load_settings() -> Settings:
    """Read the environment; raises ConfigurationError that names the variable and what is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigurationError(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    problems = []
    for problem in error.errors(include_url=False):
        variable = PREFIX + "__".join(str(part).upper() for part in problem["loc"])
        shown = "" if _is_secret(variable) else f"={problem['input']!r}"
        given = shown if isinstance(problem["input"], str | int | float) else ""
        problems.append(f"{variable}{given}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(problems)


def _is_secret(variable: str) -> bool:
    return any(word in variable for word in ("PASSWORD", "SECRET", "TOKEN"))
