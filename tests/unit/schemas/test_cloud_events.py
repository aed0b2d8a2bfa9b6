"""The headers that every message of ours carries."""

import pytest

from schemas.envelope import cloud_event_headers, iso_time
from schemas.services import ServiceInfo

RECORD = ServiceInfo(service="prod/shop/checkout")


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_800_000_000_007, "2027-01-15T08:00:00.007Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
    ],
)
def test_times_are_rfc_3339_in_utc(time_ms: int, text: str):
    assert iso_time(time_ms) == text


def test_they_are_those_of_cloudevents_in_binary_mode():
    headers = cloud_event_headers(RECORD, source="classify", event_id="i1-2", time_ms=0)
    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_type": b"opspilot.service.v1",
        "ce_source": b"/opspilot/classify",
        "ce_id": b"i1-2",
        "ce_time": b"1970-01-01T00:00:00.000Z",
        "content-type": b"application/json",
    }


def test_a_trace_context_is_passed_on_and_none_is_made_up():
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    given = cloud_event_headers(RECORD, source="s", event_id="e", time_ms=0, traceparent=trace)
    assert dict(given)["traceparent"] == trace.encode()


def test_the_same_event_has_the_same_headers():
    made = [cloud_event_headers(RECORD, source="s", event_id="e", time_ms=5) for _ in range(2)]
    assert made[0] == made[1]
