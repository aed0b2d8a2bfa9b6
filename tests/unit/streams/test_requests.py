"""Requests are timed under labels that a caller cannot multiply."""

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from streams import metrics
from streams.requests import timed


async def _fail(_request: web.Request) -> web.Response:
    raise RuntimeError("a defect")


async def _item(request: web.Request) -> web.Response:
    return web.Response(text=request.match_info["name"])


@pytest.fixture
async def server():
    app = web.Application(middlewares=[timed])
    app.router.add_get("/items/{name}", _item)
    app.router.add_get("/fails", _fail)
    async with TestServer(app) as running:
        yield running


def counted() -> dict[tuple[str, str, str], float]:
    return {
        (s.labels["method"], s.labels["route"], s.labels["status"]): s.value
        for family in metrics.HTTP_REQUEST_DURATION.collect()
        for s in family.samples
        if s.name.endswith("_count")
    }


async def test_a_series_per_route_never_per_path(server: TestServer):
    metrics.HTTP_REQUEST_DURATION.clear()
    async with aiohttp.ClientSession() as session:
        for path in ("items/a", "items/b", "fails", "nowhere/1", "nowhere/2"):
            async with session.get(server.make_url(f"/{path}")):
                pass
        async with session.request("PROPFIND", server.make_url("/items/c")):
            pass
    assert counted() == {
        ("GET", "/items/{name}", "200"): 2,
        ("GET", "/fails", "500"): 1,
        ("GET", "other", "404"): 2,
        ("other", "other", "405"): 1,
    }
