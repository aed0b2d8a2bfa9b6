"""Asks a Prometheus, read-only: what a query says of a time.

Comes in: a PromQL query, a period. Goes out: an Observation, or ToolError. Promise: only GET on
/api/v1/query_range of the configured address, no redirect followed; time, size and series bounded.
"""

import math
from typing import Any

import httpx

from agents.investigation import ToolError
from agents.logic.investigation.comparing import Period
from agents.logic.investigation.observing import MAX_ROWS, Observation
from agents.logic.prompting.characters import visible
from agents.logic.prompting.quarantine import Plain
from schemas.investigation import EvidenceRef

TIMEOUT_SECONDS = 8.0
MAX_BYTES = 1 << 20
_POINTS = 60
_LEAST_STEP_SECONDS = 15


class Prometheus:
    """One server; makes a connection only when asked."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = url.rstrip("/") + "/api/v1/query_range"
        self._transport = transport

    async def query(self, query: str, period: Period, split_ms: int) -> Observation:
        """Show each series before and after `split_ms`; raises ToolError."""
        length = (period.to_ms - period.from_ms) / 1000
        parameters: dict[str, str | float] = {
            "query": query,
            "start": period.from_ms / 1000,
            "end": period.to_ms / 1000,
            "step": max(_LEAST_STEP_SECONDS, math.ceil(length / _POINTS)),
            "timeout": f"{TIMEOUT_SECONDS:.0f}s",
        }
        body = await self._get(parameters)
        try:
            read = [_series(row, split_ms) for row in body["data"]["result"]]
        except (KeyError, TypeError, ValueError, IndexError):
            raise ToolError("Prometheus answered in a form that is not its own.") from None
        series = [row for row in read if row is not None]
        series.sort(key=lambda row: (-_change(row), str(row["series"])))
        return Observation(
            summary=f"The query has {len(series)} series in this time.",
            rows=tuple(series[:MAX_ROWS]),
            evidence=(EvidenceRef(kind="metric", id=query[:500]),) if series else (),
            lead=str(series[0]["series"]) if series else "",
            strength=0.4 if series else 0.0,
        )

    async def _get(self, parameters: dict[str, str | float]) -> Any:
        try:
            async with (
                httpx.AsyncClient(
                    timeout=TIMEOUT_SECONDS, follow_redirects=False, transport=self._transport
                ) as client,
                client.stream("GET", self._url, params=parameters) as response,
            ):
                found = bytearray()
                async for chunk in response.aiter_bytes():
                    found += chunk
                    if len(found) > MAX_BYTES:
                        raise ToolError("the answer is too large; ask for fewer series.")
                status = response.status_code
        except httpx.HTTPError as error:
            name = type(error).__name__
            raise ToolError(f"Prometheus did not answer ({name}).") from None
        body = _json(bytes(found))
        if status != 200 or not isinstance(body, dict) or body.get("status") != "success":
            said = body.get("error") if isinstance(body, dict) else None
            why = visible(str(said))[:200] if said else f"status {status}"
            raise ToolError(f"Prometheus refused the query: {why}")
        return body


def _json(found: bytes) -> Any:
    try:
        return httpx.Response(200, content=found).json()
    except (ValueError, RecursionError):
        return None


def _series(row: Any, split_ms: int) -> dict[str, Plain] | None:
    labels = {str(name): str(value) for name, value in dict(row["metric"]).items()}
    points = [(float(at), float(value)) for at, value in row["values"]]
    points = [(at, value) for at, value in points if math.isfinite(value)]
    if not points:
        return None
    before = [value for at, value in points if at * 1000 < split_ms]
    since = [value for at, value in points if at * 1000 >= split_ms]
    name = labels.pop("__name__", "")
    shown = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return {
        "series": f"{name}{{{shown}}}",
        "mean_before": _mean(before),
        "mean_since": _mean(since),
        "least": _rounded(min(value for _, value in points)),
        "most": _rounded(max(value for _, value in points)),
    }


def _mean(values: list[float]) -> Plain:
    return _rounded(sum(values) / len(values)) if values else "none"


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _change(row: dict[str, Plain]) -> float:
    """Return how far a series moved, relative to its size; one that began or ended moved most."""
    before, since = row["mean_before"], row["mean_since"]
    if not isinstance(before, float) or not isinstance(since, float):
        return 2.0
    return abs(since - before) / max(abs(since), abs(before), 1e-12)
