"""The settings of tracing: where spans go, which, and what they may cost."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from streams.section import Positive, Section


class TracingSettings(Section):
    """Spans by OpenTelemetry, sent by OTLP over HTTP; without an endpoint there are none."""

    endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s@]+$",
        description="An OTLP/HTTP receiver, such as http://collector:4318; unset: no spans.",
    )
    token: SecretStr | None = Field(
        default=None, description="Sent to the receiver as a bearer token."
    )
    ca_file: Path | None = Field(
        default=None, description="PEM of the authority that signed the receiver's certificate."
    )
    sample_ratio: float = Field(
        default=1.0, ge=0, le=1, description="Share of the raw batches whose trace is kept, 0 to 1."
    )
    service_name: str = Field(
        default="opspilot",
        pattern=r"^\S+$",
        description="What a process is called in traces: this, a hyphen and its stage.",
    )
    queue_spans: Positive = Field(
        default=2_048, description="Spans that wait to be sent; what comes beyond is dropped."
    )
    timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        default=5.0, description="How long one delivery of spans may take, with its retries."
    )
