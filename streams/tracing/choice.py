"""Chooses who makes the spans of this process.

Comes in: settings. Goes out: a Tracing. Promise: OpenTelemetry is imported only where
OPSPILOT_TRACING__ENDPOINT is set.
"""

from streams.errors import ConfigurationError
from streams.section import PREFIX
from streams.settings import Settings
from streams.tracing.span import NoTracing, Tracing


def make_tracing(settings: Settings, stage: str) -> Tracing:
    """Make what the settings ask for; ConfigurationError where OpenTelemetry is not installed."""
    if settings.tracing.endpoint is None:
        return NoTracing()
    try:
        from streams.tracing.otel import SpanTracing
    except ImportError as error:
        raise ConfigurationError(
            f"{PREFIX}TRACING__ENDPOINT is set, but {error.name or 'opentelemetry'} is not "
            "installed: run `make tracing` (pip install -r requirements/tracing.lock), or unset it"
        ) from None
    return SpanTracing(settings, stage)
