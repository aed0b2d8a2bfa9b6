"""Kafka clients, all made here: one place for addresses, security, durability and clear refusals.

Comes in: KafkaSettings. Goes out: aiokafka consumers, producers and admin clients, started, and the
credentials that Faust takes. Promise: producers are idempotent and wait for all replicas; a broker
that cannot be reached or refuses us becomes one BrokerError sentence that names address and fix.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError

from streams.errors import BrokerError, ConfigurationError, OpsPilotError
from streams.oauth import ClientCredentialsTokens, TokenError
from streams.settings import KafkaSettings, SaslMechanism, SecurityProtocol

START_TIMEOUT_SECONDS = 30
STOP_TIMEOUT_SECONDS = 30
PROBE_TIMEOUT_SECONDS = 5
REGISTRATION_POLL_SECONDS = 0.1
CA_VARIABLE = "OPSPILOT_KAFKA__CA_FILE"


class Startable(Protocol):
    """What aiokafka's clients have in common."""

    async def start(self) -> None:
        """Connect."""


Client = TypeVar("Client", bound=Startable)


def uses_tls(kafka: KafkaSettings) -> bool:
    """Tell whether the connection is encrypted."""
    return kafka.security_protocol in (SecurityProtocol.SSL, SecurityProtocol.SASL_SSL)


def uses_sasl(kafka: KafkaSettings) -> bool:
    """Tell whether we must say who we are."""
    return kafka.security_protocol in (SecurityProtocol.SASL_PLAINTEXT, SecurityProtocol.SASL_SSL)


def tls_context(kafka: KafkaSettings) -> ssl.SSLContext | None:
    """Build the TLS context (mutual where a certificate is given); None without TLS."""
    if not uses_tls(kafka):
        return None
    try:
        context = ssl.create_default_context(cafile=kafka.ca_file)
        if kafka.cert_file and kafka.key_file:
            # Never None: OpenSSL would ask at the terminal, where nobody sits.
            password = kafka.key_password.get_secret_value() if kafka.key_password else ""
            context.load_cert_chain(kafka.cert_file, kafka.key_file, password)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(str(f) for f in (kafka.ca_file, kafka.cert_file, kafka.key_file) if f)
        msg = f"the TLS files of Kafka ({files}) cannot be used: {error}"
        raise ConfigurationError(msg) from None
    return context


def client_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Return the options that every aiokafka client takes."""
    options: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap.split(","),
        "security_protocol": kafka.security_protocol.value,
        "ssl_context": tls_context(kafka),
        "request_timeout_ms": kafka.request_timeout_ms,
    }
    if uses_sasl(kafka):
        options["sasl_mechanism"] = kafka.sasl_mechanism.value
        if kafka.sasl_mechanism is SaslMechanism.OAUTHBEARER:
            options["sasl_oauth_token_provider"] = ClientCredentialsTokens(kafka)
        else:
            options["sasl_plain_username"] = kafka.sasl_username
            password = kafka.sasl_password
            options["sasl_plain_password"] = password.get_secret_value() if password else None
    return options


def make_producer(kafka: KafkaSettings, **options: Any) -> AIOKafkaProducer:
    """Make an idempotent producer that waits for all in-sync replicas; not started."""
    return AIOKafkaProducer(
        **client_options(kafka),
        enable_idempotence=True,
        acks="all",
        compression_type=None if kafka.compression == "none" else kafka.compression,
        max_request_size=8 << 20,
        **options,
    )


def make_consumer(
    kafka: KafkaSettings, *topics: str, group: str | None = None, **options: Any
) -> AIOKafkaConsumer:
    """Make a consumer that commits only by hand and starts at the earliest offset; not started."""
    settings: dict[str, Any] = {
        "group_id": group,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "session_timeout_ms": kafka.session_timeout_ms,
        "heartbeat_interval_ms": max(kafka.session_timeout_ms // 5, 200),
        "max_partition_fetch_bytes": 8 << 20,
    }
    return AIOKafkaConsumer(*topics, **client_options(kafka), **(settings | options))


class AdminClient(AIOKafkaAdminClient):  # type: ignore[misc]
    """An admin client that has started only when brokers and controller are known.

    A broker answers a moment before it has registered; until then it names nobody to ask.
    """

    async def start(self) -> None:
        """Connect, and wait until there is somebody to ask."""
        await super().start()
        cluster = self._client.cluster
        while not cluster.brokers() or cluster.controller is None:
            await asyncio.sleep(REGISTRATION_POLL_SECONDS)
            await self._client.force_metadata_update()


def make_admin(kafka: KafkaSettings) -> AdminClient:
    """Make an admin client; not started."""
    return AdminClient(**client_options(kafka))


@asynccontextmanager
async def started(client: Client, kafka: KafkaSettings) -> AsyncIterator[Client]:
    """Start `client`, yield it, stop it; raises BrokerError in one sentence if Kafka fails."""
    await start(client, kafka)
    try:
        yield client
    except KafkaError as error:
        reason = f"{type(error).__name__}: {error}" if error.args else type(error).__name__
        raise BrokerError(f"lost Kafka at {kafka.bootstrap}: {reason}") from error
    finally:
        await stop(client)


async def start(client: Startable, kafka: KafkaSettings) -> None:
    """Start `client`; raises BrokerError in one sentence if Kafka does not take us."""
    try:
        await asyncio.wait_for(client.start(), START_TIMEOUT_SECONDS)
    except OpsPilotError:
        await stop(client)
        raise
    except (KafkaError, OSError, TimeoutError, ValueError) as error:
        await stop(client)
        raise _refusal(kafka, await _cause(kafka) or error) from None


async def _cause(kafka: KafkaSettings) -> Exception | None:
    """Return why Kafka does not take us: the clients only log it, and say that none answered."""
    options = client_options(kafka)
    addresses = options.pop("bootstrap_servers")
    cause: Exception | None = None
    for address in addresses:
        host, _, port = address.rpartition(":")
        connecting = create_conn(host, int(port), **options)
        try:
            connection = await asyncio.wait_for(connecting, PROBE_TIMEOUT_SECONDS)
            connection.close()
        except (KafkaError, OSError, TimeoutError, ValueError) as error:
            cause = error
    return cause


async def stop(client: Any) -> None:
    """Close `client`, whichever kind it is."""
    close = getattr(client, "stop", None) or client.close
    try:
        # A producer waits for its last messages for ever, also where the broker has gone.
        await asyncio.wait_for(close(), STOP_TIMEOUT_SECONDS)
    except (KafkaError, TimeoutError):
        # A client that could not start has nothing to close that matters.
        return


def _refusal(kafka: KafkaSettings, error: Exception) -> BrokerError:
    """Say in one sentence why Kafka does not take us, and what to look at."""
    if isinstance(error, TokenError):
        return error
    where = f"Kafka at {kafka.bootstrap} ({kafka.security_protocol})"
    text = f"{type(error).__name__}: {error}".lower()
    if isinstance(error, ssl.SSLError):
        return BrokerError(f"TLS with {where} failed: {error.reason or error}; {_tls_hint(error)}")
    if "authentication" in text or "sasl" in text:
        oauth = kafka.sasl_mechanism is SaslMechanism.OAUTHBEARER
        who = kafka.oauth_client_id if oauth else kafka.sasl_username
        secrets = "OAUTH_CLIENT_ID and its secret" if oauth else "SASL_USERNAME and its password"
        return BrokerError(
            f"{where} refused {who or 'nobody'!r} with {kafka.sasl_mechanism}: check "
            f"OPSPILOT_KAFKA__SASL_MECHANISM, OPSPILOT_KAFKA__{secrets}"
        )
    hint = "is it running, and are host and port right (--kafka, OPSPILOT_KAFKA__BOOTSTRAP)?"
    if not uses_tls(kafka) or not uses_sasl(kafka):
        hint += " If it needs a login or TLS, set OPSPILOT_KAFKA__SECURITY_PROTOCOL."
    return BrokerError(f"cannot reach {where}: {hint}")


def _tls_hint(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}): check {CA_VARIABLE}"
    if "CERTIFICATE" in str(error.reason):
        return "it wants our certificate: check OPSPILOT_KAFKA__CERT_FILE and its key"
    return f"check OPSPILOT_KAFKA__SECURITY_PROTOCOL and {CA_VARIABLE}"
