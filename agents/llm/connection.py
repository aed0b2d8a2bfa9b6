"""One HTTP client for one model server, spoken through by the SDKs and by plain requests alike.

Comes in: address, key, bounds. Goes out: JSON bodies. Promise: every failure leaves as a ModelError
without a key in its text; nothing is retried or redirected; no more than the bound is read; no
header or proxy of the environment and no key saved on this machine is used.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from agents.llm.errors import ModelError, ServerFaultError, TimedOutError, UnreachableError
from agents.llm.failures import MODEL_SETTINGS, excerpt, failure_of

MAX_BODY_BYTES = 4 << 20
"""Far more than the longest answer with its token details: a server cannot fill our memory."""
KEEP_IDLE_SECONDS = 2.0
"""uvicorn and llama.cpp close idle connections after 5 s: we must have let go before."""
_SENT_HEADERS = frozenset(
    {"host", "accept", "content-type", "content-length", "transfer-encoding", "connection"}
)
"""What a request may say; SDKs add more from environment variables and about this machine."""


class Connection:
    """What is known of one server's address, and the client that speaks to it."""

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
        settings: str = MODEL_SETTINGS,
    ) -> None:
        parts = urlsplit(url.rstrip("/"))
        self.url = url.rstrip("/")
        self.root = self.url.removesuffix("/v1")
        """Where routes that are not OpenAI's stand."""
        self.origin = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" * bool(parts.port))
        self.client = httpx.AsyncClient(
            transport=_GuardedTransport(self.origin, api_key, max_body_bytes, settings),
            follow_redirects=False,
            timeout=None,
            trust_env=False,
        )

    async def get(self, path: str) -> Any:
        """Return the JSON at `path` under the root; raises ModelError."""
        response = await self.client.get(self.root + path)
        return msgspec.json.decode(response.content)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send `body` to `path` under the root and return its JSON; raises ModelError."""
        response = await self.client.post(self.root + path, json=body)
        return msgspec.json.decode(response.content)

    @asynccontextmanager
    async def within(self, seconds: float) -> AsyncIterator[None]:
        """Let the body take `seconds` in all; whatever goes wrong in it leaves as a ModelError.

        The SDKs parse what a server sends without checking it, so an answer of a wrong form can
        raise anything there; that is the server's fault, not a reason to end a stage.
        """
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise TimedOutError(f"{self.origin} gave no answer within {seconds:g} s") from None
        except ModelError:
            raise
        except Exception as error:
            what = type(error).__name__
            message = f"{self.origin} answered in a form that cannot be read ({what})"
            raise ServerFaultError(message) from None

    async def close(self) -> None:
        """Close what is open."""
        await self.client.aclose()


class _GuardedTransport(httpx.AsyncBaseTransport):
    def __init__(
        self, origin: str, api_key: str | None, max_body_bytes: int, settings: str
    ) -> None:
        self._origin = origin
        self._settings = settings
        self._api_key = api_key
        self._max_body_bytes = max_body_bytes
        # How many calls run at once is decided above; SSL_CERT_FILE may name a private authority.
        limits = httpx.Limits(
            max_connections=None, max_keepalive_connections=32, keepalive_expiry=KEEP_IDLE_SECONDS
        )
        self._inner = httpx.AsyncHTTPTransport(limits=limits, trust_env=True)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = f"{self._origin}{request.url.path}"
        self._set_headers(request)
        try:
            response = await self._inner.handle_async_request(request)
            try:
                body = await self._read(response, asked)
            finally:
                await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ssl.SSLError) as error:
            why = str(error) or type(error).__name__
            said = excerpt(why.encode(), self._api_key)
            raise UnreachableError(f"{asked} cannot be reached: {said}") from None
        if not 200 <= response.status_code < 300:
            raise failure_of(
                asked,
                response.status_code,
                response.headers,
                body,
                self._api_key,
                self._settings,
            )
        self._check_is_json(asked, response, body)
        return httpx.Response(
            response.status_code,
            headers={"content-type": "application/json"},
            content=body,
            request=request,
        )

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _set_headers(self, request: httpx.Request) -> None:
        for name in {name for name in request.headers if name not in _SENT_HEADERS}:
            del request.headers[name]
        # Unpacking is not bounded by what is read: a small body could unpack to gigabytes.
        request.headers["accept-encoding"] = "identity"
        request.headers["user-agent"] = "opspilot"
        if self._api_key is not None:
            request.headers["authorization"] = f"Bearer {self._api_key}"

    async def _read(self, response: httpx.Response, asked: str) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self._max_body_bytes:
                limit = self._max_body_bytes
                raise ServerFaultError(f"{asked} answered with more than {limit:,} bytes")
        return bytes(body)

    @staticmethod
    def _check_is_json(asked: str, response: httpx.Response, body: bytes) -> None:
        kind = response.headers.get("content-type", "")
        packing = response.headers.get("content-encoding", "identity")
        if packing.lower() not in ("", "identity"):
            raise ServerFaultError(f"{asked} answered packed, though it was asked not to")
        try:
            if "html" in kind:
                raise ValueError(kind)
            msgspec.json.decode(body)
        except (ValueError, RecursionError):
            raise ServerFaultError(f"{asked} answered no JSON: {excerpt(body)}") from None
