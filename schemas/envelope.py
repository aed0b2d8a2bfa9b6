"""CloudEvents and W3C trace context as Kafka headers (binary content mode of CloudEvents 1.0).

Comes in: a record's type, id and times. Goes out: `ce_*` and `traceparent` headers.
Promise: header values come from content; only `ce_time` is when the event happened.
"""

from datetime import UTC, datetime

from schemas.base import Record

Headers = list[tuple[str, bytes]]


def iso_time(time_ms: int) -> str:
    """Format milliseconds since 1970 as RFC 3339 in UTC."""
    moment = datetime.fromtimestamp(time_ms / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def cloud_event_headers(
    record: Record, *, source: str, event_id: str, time_ms: int, traceparent: str | None = None
) -> Headers:
    """Return the headers of `record`, published by stage `source`."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_type", f"opspilot.{record.TYPE}.v{record.schema_version.split('.')[0]}".encode()),
        ("ce_source", f"/opspilot/{source}".encode()),
        ("ce_id", event_id.encode()),
        ("ce_time", iso_time(time_ms).encode()),
        ("content-type", b"application/json"),
    ]
    if traceparent:
        headers.append(("traceparent", traceparent.encode()))
    return headers
