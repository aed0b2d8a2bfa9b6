"""OAuth 2.0 client credentials (RFC 6749, section 4.4) as tokens for SASL/OAUTHBEARER.

Comes in: KafkaSettings with a token URL, a client id and a secret. Goes out: access tokens, asked
for again when nine tenths of their life have passed.
"""

import aiohttp
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaError

from streams.clock import monotonic_ms
from streams.errors import BrokerError
from streams.settings import KafkaSettings

REQUEST_TIMEOUT_SECONDS = 10
DEFAULT_LIFE_SECONDS = 300


class TokenError(BrokerError, KafkaError):  # type: ignore[misc]
    """No token was given: for Kafka's clients a failed connection, to be tried again."""

    __str__ = Exception.__str__


class ClientCredentialsTokens(AbstractTokenProvider):  # type: ignore[misc]
    """Gives aiokafka a token whenever it connects.

    Without a lock, since Faust connects from several threads: at worst two tokens are asked for.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._known = ("", 0)

    async def token(self) -> str:
        """Return a token that is still good; raises TokenError when none is given."""
        token, good_until_ms = self._known
        if monotonic_ms() >= good_until_ms:
            self._known = await self._ask()
            token, _ = self._known
        return token

    async def _ask(self) -> tuple[str, int]:
        """Return a new token and when to ask for the next one."""
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
            token = str(answer["access_token"])
            life_seconds = float(answer.get("expires_in", DEFAULT_LIFE_SECONDS))
        except aiohttp.ClientResponseError as error:
            raise self._refused(f"it answers {error.status} {error.message}") from None
        except KeyError:
            raise self._refused("its answer holds no access_token") from None
        except (aiohttp.ClientError, TimeoutError, TypeError, ValueError, AttributeError) as error:
            raise self._refused(str(error) or type(error).__name__) from None
        return token, monotonic_ms() + int(life_seconds * 900)

    def _refused(self, why: str) -> TokenError:
        return TokenError(
            f"no OAuth token from {self._kafka.oauth_token_url} for "
            f"{self._kafka.oauth_client_id!r}: {why}; check OPSPILOT_KAFKA__OAUTH_TOKEN_URL, "
            "OPSPILOT_KAFKA__OAUTH_CLIENT_ID and OPSPILOT_KAFKA__OAUTH_CLIENT_SECRET"
        )
