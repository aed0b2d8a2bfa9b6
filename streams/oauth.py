"""OAuth 2.0 client credentials (RFC 6749, section 4.4) as tokens for SASL/OAUTHBEARER.

Comes in: KafkaSettings with a token URL, a client id and a secret. Goes out: access tokens, asked
for again when nine tenths of their life have passed.
"""

import asyncio

import aiohttp
from aiokafka.abc import AbstractTokenProvider

from streams.clock import monotonic_ms
from streams.errors import BrokerError
from streams.settings import KafkaSettings

REQUEST_TIMEOUT_SECONDS = 10
DEFAULT_LIFE_SECONDS = 300


class ClientCredentialsTokens(AbstractTokenProvider):  # type: ignore[misc]
    """Gives aiokafka a token whenever it connects."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._token = ""
        self._good_until_ms = 0
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        """Return a token that is still good; raises BrokerError when none is given."""
        async with self._lock:
            if monotonic_ms() >= self._good_until_ms:
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        kafka = self._kafka
        secret = kafka.oauth_client_secret
        form = {"grant_type": "client_credentials", "client_id": kafka.oauth_client_id or ""}
        if secret:
            form["client_secret"] = secret.get_secret_value()
        if kafka.oauth_scope:
            form["scope"] = kafka.oauth_scope
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(kafka.oauth_token_url or "", data=form) as response,
            ):
                response.raise_for_status()
                answer = await response.json()
                self._token = str(answer["access_token"])
        except (aiohttp.ClientError, TimeoutError, KeyError, ValueError) as error:
            msg = f"no OAuth token from {kafka.oauth_token_url}: {error}"
            raise BrokerError(msg) from None
        life_seconds = float(answer.get("expires_in", DEFAULT_LIFE_SECONDS))
        self._good_until_ms = monotonic_ms() + int(life_seconds * 900)
