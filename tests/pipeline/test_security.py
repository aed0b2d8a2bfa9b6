"""Workers against a Kafka that wants TLS, a certificate, a password or a token, and what they say
when they have the wrong one. One broker with a listener for each way."""

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from certificates import Authority
from stages import Follower, StageProcess, send, settings_for

from opspilot.cli import run
from opspilot.local.broker import BrokerOptions, EmbeddedBroker
from opspilot.local.ports import free_port
from opspilot.local.properties import SecuredListener
from opspilot.local.runtime import KafkaRuntime, ScramUser
from schemas.digest import LogDigest
from schemas.topics import LOGS_DIGESTS, LOGS_RAW
from streams.admin import create_topics

pytestmark = pytest.mark.kafka
SECRET = "correct-horse-battery"
WRONG = "staple-of-the-wrong-kind"
KEY_PASSWORD = "opens-the-key-only"
SECRETS = (SECRET, WRONG, KEY_PASSWORD)
JAAS = "org.apache.kafka.common.security"
UNSECURED = f"{JAAS}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"


@dataclass(frozen=True)
class Secured:
    """The broker, the ports of its listeners, and the files to reach them with."""

    broker: EmbeddedBroker
    ports: Mapping[str, int]
    ca: Path
    other_ca: Path
    certificate: Path
    key: Path
    encrypted_key: Path
    encrypted_certificate: Path

    def variables(self, way: str) -> dict[str, str]:
        """Return what a worker needs to come in by `way`."""
        protocol, mechanism, *_ = WAYS[way]
        given = {"BOOTSTRAP": f"127.0.0.1:{self.ports[way]}", "SECURITY_PROTOCOL": protocol}
        if "SSL" in protocol:
            given["CA_FILE"] = str(self.ca)
        if way == "MUTUAL":
            given |= {"CERT_FILE": str(self.encrypted_certificate), "KEY_PASSWORD": KEY_PASSWORD}
            given["KEY_FILE"] = str(self.encrypted_key)
        if mechanism:
            given["SASL_MECHANISM"] = mechanism
        if mechanism in ("PLAIN", "SCRAM-SHA-256"):
            given |= {"SASL_USERNAME": "opspilot", "SASL_PASSWORD": SECRET}
        return {f"OPSPILOT_KAFKA__{name}": value for name, value in given.items()}


WAYS = {
    "TLS": ("SSL", ""),
    "MUTUAL": ("SSL", ""),
    "PLAIN": ("SASL_SSL", "PLAIN"),
    "SCRAM": ("SASL_PLAINTEXT", "SCRAM-SHA-256"),
    "TOKEN": ("SASL_PLAINTEXT", "OAUTHBEARER"),
}


def listeners(ports: Mapping[str, int], authority: Authority) -> tuple[SecuredListener, ...]:
    server = authority.sign("server")
    tls = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(server.store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.file),
    }
    plain = f'{JAAS}.plain.PlainLoginModule required user_opspilot="{SECRET}";'
    scram = f"{JAAS}.scram.ScramLoginModule required;"
    token = f'{JAAS}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="x";'
    options = {
        "TLS": tls,
        "MUTUAL": tls | {"ssl.client.auth": "required"},
        "PLAIN": tls | {"sasl.enabled.mechanisms": "PLAIN", "plain.sasl.jaas.config": plain},
        "SCRAM": {
            "sasl.enabled.mechanisms": "SCRAM-SHA-256",
            "scram-sha-256.sasl.jaas.config": scram,
        },
        "TOKEN": {
            "sasl.enabled.mechanisms": "OAUTHBEARER",
            "oauthbearer.sasl.jaas.config": token,
            "oauthbearer.sasl.server.callback.handler.class": UNSECURED,
        },
    }
    return tuple(SecuredListener(way, ports[way], WAYS[way][0], options[way]) for way in WAYS)


@pytest.fixture(scope="module")
def secured(
    tmp_path_factory: pytest.TempPathFactory, kafka_runtime: KafkaRuntime
) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority(folder, "trusted")
    taken: set[int] = set()
    for _ in WAYS:
        taken.add(free_port(frozenset(taken)))
    ports = dict(zip(WAYS, sorted(taken), strict=True))
    options = BrokerOptions(
        start_seconds=120.0,
        listeners=listeners(ports, authority),
        scram_users=(ScramUser("opspilot", SECRET),),
    )
    client, closed = authority.sign("client"), authority.sign("closed", KEY_PASSWORD.encode())
    broker = EmbeddedBroker(folder / "kafka", kafka_runtime, options).start()
    try:
        yield Secured(
            broker, ports, authority.file, Authority(folder, "stranger").file,
            client.certificate, client.key, closed.key, closed.certificate,
        )  # fmt: skip
    finally:
        broker.kill()


class _TokenHandler(BaseHTTPRequestHandler):
    """Gives unsecured tokens (RFC 7515, alg none) to who knows the client's secret."""

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        knows = form.get("client_secret") == [SECRET]
        now = int(time.time())
        claims = {"sub": form["client_id"][0], "iat": now, "exp": now + 3600}
        token = ".".join(_base64url(part) for part in ({"alg": "none"}, claims)) + "."
        answer = {"access_token": token, "expires_in": 3600} if knows else {"error": "no"}
        self.send_response(200 if knows else 401)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def token_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _TokenHandler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/token"
        server.shutdown()
        thread.join()


def _base64url(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize("way", WAYS)
async def test_ingest_and_a_faust_stage_come_in(
    secured: Secured, way: str, token_url: str, topic_prefix: str, tmp_path: Path
):
    settings = settings_for(secured.broker.bootstrap, topic_prefix)
    await create_topics(settings)
    variables = secured.variables(way)
    if way == "TOKEN":
        variables |= oauth(token_url, SECRET)
    with (
        StageProcess("ingest", settings, tmp_path / "ingest", variables) as ingest,
        StageProcess("correlate", settings, tmp_path / "correlate", variables) as correlate,
    ):
        raw = settings.topics.name(LOGS_RAW)
        await send(secured.broker.bootstrap, raw, [(b"a", b"ERROR no route to host")])
        async with Follower(settings, LOGS_DIGESTS) as digests:
            values = await digests.until(
                lambda found: any(b'"digest"' in value for value in found), "digest"
            )
        (digest,) = [LogDigest.from_bytes(v) for v in values if b'"digest"' in v]
        assert digest.records == 1
        correlate.wait_ready()
        for worker in (ingest, correlate):
            assert SECRET not in worker.log
            assert KEY_PASSWORD not in worker.log


def oauth(url: str, secret: str) -> dict[str, str]:
    return {
        "OPSPILOT_KAFKA__OAUTH_TOKEN_URL": url,
        "OPSPILOT_KAFKA__OAUTH_CLIENT_ID": "opspilot",
        "OPSPILOT_KAFKA__OAUTH_CLIENT_SECRET": secret,
    }


PASSWORD = "OPSPILOT_KAFKA__SASL_PASSWORD"
PROTOCOL = "OPSPILOT_KAFKA__SECURITY_PROTOCOL"
REFUSALS = {
    "a wrong password": ("PLAIN", {PASSWORD: WRONG}, "refused 'opspilot' with PLAIN"),
    "a wrong password for SCRAM": ("SCRAM", {PASSWORD: WRONG}, "refused 'opspilot' with SCRAM"),
    "the wrong mechanism": (
        "SCRAM", {"OPSPILOT_KAFKA__SASL_MECHANISM": "PLAIN"}, "OPSPILOT_KAFKA__SASL_MECHANISM",
    ),
    "plain text to a TLS port": ("TLS", {PROTOCOL: "PLAINTEXT"}, PROTOCOL),
    "an authority that we do not trust": (
        "TLS", {"OPSPILOT_KAFKA__CA_FILE": "OTHER"}, "check OPSPILOT_KAFKA__CA_FILE",
    ),
    "no certificate where one is wanted": (
        "MUTUAL", {"OPSPILOT_KAFKA__CERT_FILE": "", "OPSPILOT_KAFKA__KEY_FILE": ""}, "TLS",
    ),
    "the wrong password of a key": (
        "MUTUAL", {"OPSPILOT_KAFKA__KEY_PASSWORD": WRONG}, "cannot be used",
    ),
    "a key whose password is missing": (
        "MUTUAL", {"OPSPILOT_KAFKA__KEY_PASSWORD": ""}, "cannot be used",
    ),
    "a file that is not there": (
        "TLS", {"OPSPILOT_KAFKA__CA_FILE": "/nowhere/ca.pem"}, "/nowhere/ca.pem",
    ),
    "half a login": ("SCRAM", {PASSWORD: ""}, f"also needs {PASSWORD}"),
    "a token that nobody gives": ("TOKEN", {}, "no OAuth token from"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_wrong_is_one_sentence_without_a_secret(
    secured: Secured,
    token_url: str,
    case: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
):
    way, changes, sentence = REFUSALS[case]
    for name, value in environment_of(secured, way, token_url, changes).items():
        monkeypatch.setenv(name, value)
    status = run(["worker", "ingest"])
    said = capfd.readouterr().err
    assert status == 1, said
    assert said.startswith("opspilot: "), said
    assert len(said.strip().splitlines()) == 1, said
    assert sentence in said
    assert not any(secret in said + caplog.text for secret in SECRETS)


@pytest.mark.parametrize("stage", ["ingest", "classify"])
def test_a_worker_that_is_refused_ends_and_says_so(
    secured: Secured, token_url: str, stage: str, topic_prefix: str, tmp_path: Path
):
    settings = settings_for(secured.broker.bootstrap, topic_prefix)
    variables = environment_of(secured, "SCRAM", token_url, {PASSWORD: WRONG})
    with StageProcess(stage, settings, tmp_path, variables) as worker:
        assert worker.wait_for_end() == 1
    assert worker.log.startswith("opspilot: Kafka at 127.0.0.1:")
    assert len(worker.log.strip().splitlines()) == 1
    assert not any(secret in worker.log for secret in SECRETS)


def environment_of(
    secured: Secured, way: str, token_url: str, changes: Mapping[str, str]
) -> dict[str, str]:
    """Return what lets a worker in, changed; an empty text takes a variable away."""
    variables = secured.variables(way)
    if way == "TOKEN":
        variables |= oauth(token_url, WRONG)
    for name, value in changes.items():
        variables[name] = str(secured.other_ca) if value == "OTHER" else value
    return {name: value for name, value in variables.items() if value}
