"""How the sample's services write time, and the moments at which their lines come. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

START_MS = 1_773_122_400_000
"""2026-03-10 06:00:00 UTC: always the same, so that a demo's incidents keep their ids."""
MINUTE_MS = 60_000
LENGTH_MINUTES = 126


def iso(time_ms: int) -> str:
    """`2026-03-10T06:00:00.123Z`"""
    return _utc(time_ms).strftime("%Y-%m-%dT%H:%M:%S") + f".{time_ms % 1000:03d}Z"


def spaced(time_ms: int) -> str:
    """`2026-03-10 06:00:00.123`"""
    return _utc(time_ms).strftime("%Y-%m-%d %H:%M:%S") + f".{time_ms % 1000:03d}"


def clf(time_ms: int) -> str:
    """`10/Mar/2026:06:00:00 +0000`, as web servers write it."""
    return _utc(time_ms).strftime("%d/%b/%Y:%H:%M:%S +0000")


def slashed(time_ms: int) -> str:
    """`2026/03/10 06:00:00`, as nginx's error log has it."""
    return _utc(time_ms).strftime("%Y/%m/%d %H:%M:%S")


def syslog(time_ms: int) -> str:
    """`2026-03-10T06:00:00.123456+00:00`, as rsyslog's default template has it."""
    return _utc(time_ms).strftime("%Y-%m-%dT%H:%M:%S") + f".{time_ms % 1000:03d}000+00:00"


def arrivals(random: Random, mean_ms: float, first_ms: int, end_ms: int) -> Iterator[int]:
    """Yield the times of a Poisson stream: gaps are exponential with the mean given."""
    time_ms = float(first_ms) + random.expovariate(1 / mean_ms)
    while time_ms < end_ms:
        yield int(time_ms)
        time_ms += random.expovariate(1 / mean_ms)


def every(random: Random, period_ms: int, first_ms: int, end_ms: int) -> Iterator[int]:
    """Yield the times of something that happens by the clock, with a little jitter."""
    for time_ms in range(first_ms, end_ms, period_ms):
        yield time_ms + random.randrange(0, 900)


def at_minute(minute: float) -> int:
    """Return the moment that lies so many minutes after the start."""
    return START_MS + int(minute * MINUTE_MS)


def _utc(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, tz=UTC)
