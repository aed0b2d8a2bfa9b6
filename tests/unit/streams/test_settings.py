"""Settings: every mistake is one sentence with variable, value and fix; secrets never show."""

import pytest
from pydantic import SecretStr, ValidationError

from streams.errors import ConfigurationError
from streams.settings import KafkaSettings, SaslMechanism, SecurityProtocol, Settings, load_settings

SECRET = "correct-horse"
KAFKA = "OPSPILOT_KAFKA__"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("OPSPILOT_"):
            monkeypatch.delenv(name)


def mistake(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_any_variable_there_are_defaults():
    settings = load_settings()
    assert settings.kafka.bootstrap == "127.0.0.1:9092"
    assert settings.topics.prefix == "opspilot."


def test_variables_are_read_by_section(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPSPILOT_KAFKA__BOOTSTRAP", "kafka-1:9092,kafka-2:9093")
    monkeypatch.setenv("OPSPILOT_INGEST__TOPICS", '["app", "web"]')
    settings = load_settings()
    assert settings.kafka.bootstrap == "kafka-1:9092,kafka-2:9093"
    assert settings.ingest.topics == ("app", "web")


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().kafka.bootstrap = "elsewhere:9092"


@pytest.mark.parametrize(
    ("variable", "value", "parts"),
    [
        ("OPSPILOT_KAFKA__BOOTSTRAP", "kafka", ["'kafka'", "must match", "(HOST:PORT"]),
        ("OPSPILOT_KAFKA__BOOTSTRAP", "http://kafka:9092", ["'http://kafka:9092'"]),
        ("OPSPILOT_KAFKA__SECURITY_PROTOCOL", "TLS", ["'TLS'", "SASL_SSL"]),
        ("OPSPILOT_KAFKA__SASL_MECHANISM", "GSSAPI", ["'GSSAPI'", "OAUTHBEARER"]),
        ("OPSPILOT_KAFKA__COMPRESSION", "brotli", ["'brotli'", "zstd"]),
        (
            "OPSPILOT_KAFKA__SESSION_TIMEOUT_MS",
            "soon",
            ["'soon': must be a whole number (After this long"],
        ),
        ("OPSPILOT_TOPICS__RAW_PARTITIONS", "0", ["'0'", "greater than 0"]),
        ("OPSPILOT_TOPICS__PREFIX", "my topics", ["'my topics'"]),
        ("OPSPILOT_INGEST__TOPICS", "app,web", ["'app,web'", "JSON list"]),
        ("OPSPILOT_INGEST__TOPIC_PATTERN", "app-[", ["'app-['", "regular expression"]),
        ("OPSPILOT_WORKER__PORT", "70000", ["'70000'", "65535"]),
        ("OPSPILOT_WORKER__LOG_LEVEL", "loud", ["'loud'", "debug"]),
        ("OPSPILOT_KAFKA__BOOTSTRP", "kafka:9092", ["is no setting", "docs/settings.md"]),
        ("OPSPILOT_KAFAK__BOOTSTRAP", "kafka:9092", ["no section KAFAK", "docs/settings.md"]),
        ("OPSPILOT_KAFKA_BOOTSTRAP", "kafka:9092", ["two underscores", "KAFKA__BOOTSTRAP"]),
        ("OPSPILOT_INGEST_BATCH_RECORDS", "5", ["OPSPILOT_INGEST__BATCH_RECORDS"]),
        ("OPSPILOT_INGEST", "5", ["=5", "such as OPSPILOT_INGEST__TOPICS"]),
        ("OPSPILOT_INGEST__REDACT_IPS", "perhaps", ["'perhaps': must be true or false"]),
        ("OPSPILOT_TRACING__SAMPLE_RATIO", "2", ["'2'", "less than or equal to 1"]),
        ("OPSPILOT_TRACING__ENDPOINT", "collector:4318", ["'collector:4318'", "http://collector"]),
    ],
)
def test_a_mistake_names_variable_value_and_fix(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, parts: list[str]
):
    said = mistake(monkeypatch, **{variable: value})
    assert said.startswith(variable)
    assert all(part in said for part in parts), said


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OPSPILOT_VERSION", "0.1.0"),
        ("OPSPILOT_WORKER_PORT", "tcp://10.0.0.7:8080"),
        ("OPSPILOT_INGEST_SERVICE_HOST", "10.0.0.7"),
    ],
)
def test_what_others_call_alike_is_no_mistake(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
):
    monkeypatch.setenv(variable, value)
    assert load_settings() == Settings()


def test_two_mistakes_are_both_said(monkeypatch: pytest.MonkeyPatch):
    said = mistake(monkeypatch, OPSPILOT_WORKER__PORT="x", OPSPILOT_TOPICS__RAW_PARTITIONS="-1")
    assert "OPSPILOT_WORKER__PORT" in said
    assert "OPSPILOT_TOPICS__RAW_PARTITIONS" in said


def test_topics_and_a_pattern_exclude_each_other(monkeypatch: pytest.MonkeyPatch):
    said = mistake(
        monkeypatch, OPSPILOT_INGEST__TOPICS='["a"]', OPSPILOT_INGEST__TOPIC_PATTERN="a.*"
    )
    assert "OPSPILOT_INGEST__TOPICS and OPSPILOT_INGEST__TOPIC_PATTERN exclude each other" in said


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_login_needs_name_and_password(
    monkeypatch: pytest.MonkeyPatch, protocol: str, mechanism: str
):
    login = {f"{KAFKA}SECURITY_PROTOCOL": protocol, f"{KAFKA}SASL_MECHANISM": mechanism}
    said = mistake(monkeypatch, **login)
    assert f"{protocol} with {mechanism} also needs" in said
    assert f"{KAFKA}SASL_USERNAME, {KAFKA}SASL_PASSWORD" in said
    said = mistake(monkeypatch, **{f"{KAFKA}SASL_USERNAME": "shipper"})
    assert f"{KAFKA}SASL_USERNAME" not in said
    monkeypatch.setenv(f"{KAFKA}SASL_PASSWORD", SECRET)
    assert load_settings().kafka.sasl_username == "shipper"


def test_tokens_need_to_come_from_somewhere(monkeypatch: pytest.MonkeyPatch):
    said = mistake(
        monkeypatch,
        OPSPILOT_KAFKA__SECURITY_PROTOCOL="SASL_SSL",
        OPSPILOT_KAFKA__SASL_MECHANISM="OAUTHBEARER",
        OPSPILOT_KAFKA__OAUTH_CLIENT_SECRET=SECRET,
    )
    assert f"{KAFKA}OAUTH_TOKEN_URL, {KAFKA}OAUTH_CLIENT_ID" in said
    assert SECRET not in said


@pytest.mark.parametrize(("given", "lacking"), [("CERT", "KEY"), ("KEY", "CERT")])
def test_a_certificate_and_its_key_come_together(
    monkeypatch: pytest.MonkeyPatch, given: str, lacking: str
):
    said = mistake(monkeypatch, **{f"{KAFKA}{given}_FILE": "/tls/one.pem"})
    assert f"{KAFKA}{given}_FILE also needs {KAFKA}{lacking}_FILE" in said


def test_secrets_show_nowhere():
    kafka = KafkaSettings(
        security_protocol=SecurityProtocol.SASL_SSL,
        sasl_mechanism=SaslMechanism.PLAIN,
        sasl_username="shipper",
        sasl_password=SecretStr(SECRET),
        oauth_client_secret=SecretStr(SECRET),
        key_password=SecretStr(SECRET),
    )
    settings = Settings(kafka=kafka)
    for shown in (repr(settings), str(settings), settings.model_dump_json(), f"{kafka!r}"):
        assert SECRET not in shown
    assert kafka.sasl_password is not None
    assert kafka.sasl_password.get_secret_value() == SECRET


def test_a_mistake_beside_a_secret_does_not_quote_it(monkeypatch: pytest.MonkeyPatch):
    said = mistake(
        monkeypatch,
        OPSPILOT_KAFKA__SASL_PASSWORD=SECRET,
        OPSPILOT_KAFKA__OAUTH_TOKEN=SECRET,
        OPSPILOT_KAFKA__SECURITY_PROTOCOL="SASL_SSL",
    )
    assert SECRET not in said


def test_the_hubs_own_variable_is_the_key_where_a_server_judges_and_none_is_set(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_environment")
    assert load_settings().model.api_key is None, "the baseline needs no key"
    monkeypatch.setenv("OPSPILOT_MODEL__BACKEND", "tgi")
    monkeypatch.setenv("OPSPILOT_MODEL__URL", "http://tgi:8080")
    settings = load_settings()
    assert settings.model.api_key is not None
    assert settings.model.api_key.get_secret_value() == "hf_of_the_environment"
    assert "hf_of" not in repr(settings)
    monkeypatch.setenv("OPSPILOT_MODEL__API_KEY", "mine")
    mine = load_settings().model.api_key
    assert mine is not None and mine.get_secret_value() == "mine"
