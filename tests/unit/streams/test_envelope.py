import json

import pytest

from schemas.vocabulary import Level
from streams.errors import DecodeError
from streams.ingest.batch import ReducerOptions
from streams.ingest.envelope import Entry, plain_text, read_value
from streams.ingest.identity import Claim, Identities, claim_of_headers, claim_of_key
from streams.ingest.redact import Redactor

OPTIONS = ReducerOptions()
ISO, ISO_MS = "2026-11-22T15:09:32.844815208Z", 1795360172844


def one(document: object) -> Entry:
    (entry,) = read_value(json.dumps(document).encode(), OPTIONS)
    return entry


def test_fluent_bit_tail() -> None:
    entry = one({"fb_ts": ISO, "fb_path": "/a.log", "log": 'x "q" \\', "fb_source": "checkout"})
    assert entry == Entry('x "q" \\', ISO_MS, Claim("checkout"), None, "/a.log|")


def test_cri_partial() -> None:
    cri = {"@timestamp": ISO, "stream": "stdout", "log": "part", "time": ISO, "_p": "P"}
    assert one(cri).partial
    assert not one(cri | {"_p": "F"}).partial
    assert one(cri).time_ms == ISO_MS


def test_docker_cuts_long_lines_without_a_newline() -> None:
    docker = {"@timestamp": ISO, "stream": "stdout", "log": "hello\n", "time": ISO}
    assert not one(docker).partial
    assert one(docker | {"log": "x" * 16_384}).partial
    assert not one(docker | {"log": "x" * 16_384 + "\n"}).partial


def test_kubernetes_names_the_writer() -> None:
    kubernetes = {
        "pod_name": "api-7d9-x2",
        "namespace_name": "shop",
        "container_name": "main",
        "labels": {"app.kubernetes.io/name": "api"},
        "host": "node1",
    }
    entry = one({"log": "up", "stream": "stderr", "kubernetes": kubernetes})
    assert entry.claim == Claim("api", "shop", "", "api-7d9-x2")
    del kubernetes["labels"]
    assert one({"log": "up", "kubernetes": kubernetes}).claim.service == "main"


def test_journal() -> None:
    journal = {
        "MESSAGE": "Failed to start",
        "PRIORITY": "3",
        "_SYSTEMD_UNIT": "nginx.service",
        "_HOSTNAME": "web1",
        "__REALTIME_TIMESTAMP": "1795360172844815",
    }
    expected = Entry("Failed to start", ISO_MS, Claim("nginx", "", "", "web1"), Level.ERROR, "|")
    assert one(journal) == expected
    assert one(journal | {"MESSAGE": list(b"caf\xe9")}).text == "caf\ufffd"


def test_gelf() -> None:
    gelf = {
        "version": "1.1",
        "short_message": "boom",
        "full_message": "boom\n at x",
        "host": "h1",
        "level": 3,
        "timestamp": 1795360172.844,
        "_app": "pay",
    }
    assert one(gelf) == Entry("boom\n at x", ISO_MS, Claim("pay", "", "", "h1"), Level.ERROR, "|")


def test_otlp_holds_many_entries() -> None:
    def record(body: object, number: int) -> dict[str, object]:
        return {"timeUnixNano": "1795360172844000000", "severityNumber": number, "body": body}

    attributes = [
        {"key": "service.name", "value": {"stringValue": "pay"}},
        {"key": "service.namespace", "value": {"stringValue": "shop"}},
        {"key": "deployment.environment.name", "value": {"stringValue": "prod"}},
        {"key": "service.instance.id", "value": {"stringValue": "pay-1"}},
    ]
    bodies = [record({"stringValue": "a"}, 17), record({"kvlistValue": {"values": []}}, 9)]
    export = {
        "resourceLogs": [
            {"resource": {"attributes": attributes}, "scopeLogs": [{"logRecords": bodies}]}
        ]
    }
    first, second = read_value(json.dumps(export).encode(), OPTIONS)
    claim = Claim("pay", "shop", "prod", "pay-1")
    assert first == Entry("a", ISO_MS, claim, Level.ERROR)
    assert (second.text, second.level) == ("{}", Level.INFO)


@pytest.mark.parametrize("broken", [{"resourceLogs": 5}, {"resourceLogs": [{"scopeLogs": [1]}]}])
def test_an_export_that_does_not_parse_is_dead(broken: object) -> None:
    with pytest.raises(DecodeError) as caught:
        one(broken)
    assert caught.value.reason == "otlp"


def test_unknown_json_by_configured_fields_else_as_a_line() -> None:
    options = ReducerOptions(message_fields=("a.text",), time_fields=("when",))
    value = json.dumps({"a": {"text": "hi"}, "when": 1795360172}).encode()
    assert read_value(value, options)[0][:2] == ("hi", 1795360172000)
    assert one({"x": 1}).text == '{"x": 1}'


@pytest.mark.parametrize(
    ("level", "meant"), [("WARN", Level.WARN), (50, Level.ERROR), ("7", "debug")]
)
def test_levels_in_words_and_numbers(level: object, meant: Level) -> None:
    assert one({"msg": "x", "level": level}).level == meant


def test_the_double_timestamp_envelope() -> None:
    assert one({"@timestamp": 1795360172.844, "log": "hi"})[:2] == ("hi", ISO_MS)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain line", "plain line"),
        ("größe ✓".encode(), "größe ✓"),
        ("größe".encode("utf-16"), "größe"),
        ("line".encode("utf-16-le"), "line"),
        ("line".encode("utf-16-be"), "line"),
        (b"\xef\xbb\xbfmarked", "marked"),
        (b"caf\xe9", "caf\ufffd"),
        (b"{not json", "{not json"),
        (b"a\0b but mostly text", "a\0b but mostly text"),
        (b"\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
    ],
)
def test_any_text_is_a_line(value: bytes, text: str) -> None:
    assert read_value(value, OPTIONS) == [Entry(text)]
    assert plain_text(value) == text


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\0" * 50, "binary"),
        (bytes(range(32)) * 4, "binary"),
        (b'{"log":"cut off', "json"),
        (b'{"fb_ts":"x","log":"\xff\xfe"}', "json"),
        (b'{"log":' + b"[" * 100_000, "json"),
    ],
)
def test_what_cannot_be_a_line_says_why(value: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        read_value(value, OPTIONS)
    assert caught.value.reason == reason


def test_identities_are_whole_valid_and_redacted() -> None:
    identities = Identities(OPTIONS, Redactor())
    assert identities.resolve(Claim("checkout")) == ("default/default/checkout", "")
    assert identities.resolve(Claim("prod/shop/api", instance="p1")) == ("prod/shop/api", "p1")
    assert identities.resolve(Claim("prod/shop/api/p2")) == ("prod/shop/api", "p2")
    assert identities.resolve(Claim("api", "shop", "prod")) == ("prod/shop/api", "")
    assert identities.resolve(Claim(" my app ")) == ("default/default/my-app", "")
    assert identities.resolve(Claim("")) == ("default/default/unknown", "")
    assert identities.resolve(Claim("a", instance="jane@example.com")) == (
        "default/default/a",
        "<email>",
    )


def test_keys_and_headers_name_the_writer() -> None:
    assert claim_of_key(b"prod/shop/api/p1") == Claim("prod/shop/api/p1")
    assert claim_of_key(None) == claim_of_key(b"\x00\x01") == Claim()
    headers = (("service.name", b"api"), ("service.namespace", b"shop"), ("ce_id", b"1"))
    assert claim_of_headers(headers) == Claim("api", "shop")
