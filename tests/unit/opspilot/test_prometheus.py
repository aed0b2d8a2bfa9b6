"""What a Prometheus says, bounded; what it must never be asked."""

import json

import httpx
import pytest

from agents.investigation import ToolError
from agents.logic.investigation.comparing import Period
from agents.logic.investigation.observing import MAX_ROWS
from opspilot.prometheus import MAX_BYTES, Prometheus

START_MS = 1_780_000_000_000
NOW = Period(START_MS + 1_800_000, START_MS + 2_100_000)


def server(status: int = 200, body: object = None, raw: bytes | None = None) -> Prometheus:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.method == "GET" and request.url.path == "/api/v1/query_range"
        return httpx.Response(status, content=json.dumps(body).encode() if raw is None else raw)

    return Prometheus("http://prometheus:9090/", httpx.MockTransport(answer))


def series(name: str, before: float, since: float) -> dict[str, object]:
    points = [[START_MS / 1000, str(before)], [NOW.from_ms / 1000, str(since)]]
    return {"metric": {"__name__": name, "job": "web"}, "values": points}


async def test_series_that_moved_most_come_first_and_are_bounded():
    rows = [series(f"m{number}", 1, 1 + number) for number in range(40)]
    body = {"status": "success", "data": {"resultType": "matrix", "result": rows}}
    shown = await server(body=body).query("m", Period(START_MS, NOW.to_ms), NOW.from_ms)
    assert len(shown.rows) == MAX_ROWS
    means = {"mean_before": 1.0, "mean_since": 40.0}
    assert shown.rows[0] == {"series": "m39{job=web}", **means, "least": 1.0, "most": 40.0}


@pytest.mark.parametrize(
    ("answering", "says"),
    [
        (server(400, {"status": "error", "error": "parse error"}), "parse error"),
        (server(302, {}), "status 302"),
        (server(200, raw=b"<html>"), "status 200"),
        (server(200, {"status": "success", "data": {"result": [{"metric": 1}]}}), "form"),
        (server(200, raw=b"x" * (MAX_BYTES + 1)), "too large"),
    ],
)
async def test_what_is_no_answer_is_a_readable_fault(answering: Prometheus, says: str):
    with pytest.raises(ToolError, match=says):
        await answering.query("up", Period(START_MS, NOW.to_ms), NOW.from_ms)
