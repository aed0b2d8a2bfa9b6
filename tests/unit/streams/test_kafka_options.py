"""What every Kafka client is given, for each protocol and mechanism, Faust's included."""

import ssl
from itertools import product
from pathlib import Path

import pytest
from pydantic import SecretStr

from streams.app import _credentials
from streams.errors import ConfigurationError
from streams.kafka import client_options, tls_context
from streams.oauth import ClientCredentialsTokens
from streams.settings import KafkaSettings, SaslMechanism, SecurityProtocol

PASSWORD = "correct-horse"
EVERY = list(product(SecurityProtocol, SaslMechanism))


def kafka(protocol: SecurityProtocol, mechanism: SaslMechanism = SaslMechanism.PLAIN, **more):
    return KafkaSettings(
        bootstrap="kafka-1:9092,kafka-2:9092",
        security_protocol=protocol,
        sasl_mechanism=mechanism,
        sasl_username="shipper",
        sasl_password=SecretStr(PASSWORD),
        oauth_token_url="https://login.example/token",
        oauth_client_id="opspilot",
        **more,
    )


@pytest.mark.parametrize(("protocol", "mechanism"), EVERY)
def test_options_for_every_protocol_and_mechanism(
    protocol: SecurityProtocol, mechanism: SaslMechanism
):
    options = client_options(kafka(protocol, mechanism))
    assert options["bootstrap_servers"] == ["kafka-1:9092", "kafka-2:9092"]
    assert options["security_protocol"] == protocol
    assert (options["ssl_context"] is not None) == ("SSL" in protocol)
    login = {name: value for name, value in options.items() if name.startswith("sasl_")}
    if not protocol.startswith("SASL"):
        assert login == {}
    elif mechanism is SaslMechanism.OAUTHBEARER:
        provider = login.pop("sasl_oauth_token_provider")
        assert isinstance(provider, ClientCredentialsTokens)
        assert login == {"sasl_mechanism": "OAUTHBEARER"}
    else:
        assert login == {
            "sasl_mechanism": mechanism.value,
            "sasl_plain_username": "shipper",
            "sasl_plain_password": PASSWORD,
        }


@pytest.mark.parametrize(("protocol", "mechanism"), EVERY)
def test_faust_gets_the_same(protocol: SecurityProtocol, mechanism: SaslMechanism):
    from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

    settings = kafka(protocol, mechanism)
    given = credentials_to_aiokafka_auth(_credentials(settings))
    wanted = client_options(settings)
    assert given["security_protocol"] == protocol.value
    assert given.get("sasl_mechanism") == wanted.get("sasl_mechanism")
    assert given.get("sasl_plain_password") == wanted.get("sasl_plain_password")
    assert isinstance(given.get("ssl_context"), ssl.SSLContext) == ("SSL" in protocol)
    assert PASSWORD not in repr(_credentials(settings))


def test_tls_checks_name_and_authority():
    context = tls_context(kafka(SecurityProtocol.SSL))
    assert context is not None
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path):
    bad = tmp_path / "ca.pem"
    bad.write_text("no certificate")
    for path in (bad, tmp_path / "missing.pem"):
        with pytest.raises(ConfigurationError, match=str(path)):
            tls_context(kafka(SecurityProtocol.SSL, ca_file=path))
