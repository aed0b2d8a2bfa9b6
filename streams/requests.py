"""Times the HTTP requests that a server of ours answers.

Comes in: requests to an aiohttp server. Goes out: http_request_duration_seconds. Promise: labels
are the route's own pattern, the method and the status; what no route knows is `other`, so that
nobody can make a series by asking for a new path.
"""

from time import perf_counter

from aiohttp import web
from aiohttp.typedefs import Handler

from streams import metrics

OTHER = "other"
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


@web.middleware
async def timed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a request and observe how long it took, whatever came of it."""
    began = perf_counter()
    status = 500
    try:
        response = await handler(request)
        status = response.status
    except web.HTTPException as answer:
        status = answer.status
        raise
    else:
        return response
    finally:
        method = request.method if request.method in METHODS else OTHER
        seconds = perf_counter() - began
        metrics.HTTP_REQUEST_DURATION.labels(method, _route(request), str(status)).observe(seconds)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return OTHER if resource is None else resource.canonical
