"""Shipping spans: delivered, dropped and counted, never waited for, one line of the log."""

import logging
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from streams import metrics
from streams.tracing import shipment
from streams.tracing.shipment import SpanShipment, traces_url
from streams.tracingsettings import TracingSettings

TRACING = TracingSettings(endpoint="http://127.0.0.1:4318", queue_spans=5, timeout_seconds=0.5)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipment, "EVERY_SECONDS", 0.05)
    monkeypatch.setattr(shipment, "LAST_SECONDS", 1.0)


class Receiver(SpanExporter):
    """Takes spans, or refuses them, or is held up until it is let go."""

    def __init__(self, *, takes: bool = True, held_up: bool = False) -> None:
        self.takes = takes
        self.spans: list[str] = []
        self.asked = threading.Event()
        self.let_go = threading.Event()
        if not held_up:
            self.let_go.set()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.asked.set()
        if not self.let_go.wait(30) or not self.takes:
            return SpanExportResult.FAILURE
        self.spans += [span.name for span in spans]
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        return


def ends(shipment: SpanShipment) -> Callable[[str], None]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(shipment)
    tracer = provider.get_tracer("test")
    return lambda name: tracer.start_span(name).end()


def counted(outcome: str) -> float:
    return float(metrics.SPANS.labels(outcome)._value.get())


def test_all_is_delivered_by_the_end():
    receiver, before = Receiver(), counted("delivered")
    shipment = SpanShipment(TRACING, receiver)
    end = ends(shipment)
    for name in "abc":
        end(name)
    shipment.shutdown()
    assert receiver.spans == ["a", "b", "c"]
    assert counted("delivered") - before == 3


def test_a_receiver_that_is_held_up_holds_up_nobody(caplog: pytest.LogCaptureFixture):
    receiver, before = Receiver(held_up=True), counted("dropped")
    shipment = SpanShipment(TRACING, receiver)
    end = ends(shipment)
    end("first")
    assert receiver.asked.wait(30)
    with caplog.at_level(logging.WARNING):
        for number in range(100):  # each returns, though nobody takes any
            end(str(number))
    assert counted("dropped") - before == 95
    assert len([r for r in caplog.records if "does not take spans" in r.message]) == 1
    receiver.let_go.set()
    shipment.shutdown()


def test_what_a_receiver_refuses_is_counted_and_said_once(caplog: pytest.LogCaptureFixture):
    receiver, before = Receiver(takes=False), counted("dropped")
    shipment = SpanShipment(TRACING, receiver)
    end = ends(shipment)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            receiver.asked.clear()
            end("refused")
            assert receiver.asked.wait(30)
        shipment.shutdown()
    assert counted("dropped") - before == 3
    assert len([r for r in caplog.records if "does not take spans" in r.message]) == 1


class _Collector(BaseHTTPRequestHandler):
    seen: ClassVar[list[tuple[str, dict[str, str]]]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


def test_a_real_request_has_path_token_and_no_login_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        shipment = SpanShipment(TracingSettings(endpoint=address, token="open sesame"))
        ends(shipment)("a")
        shipment.shutdown()
        server.shutdown()
    ((path, headers),) = _Collector.seen
    assert path == "/v1/traces"
    assert headers["authorization"] == "Bearer open sesame"
    assert headers["content-encoding"] == "gzip"


def test_the_end_of_a_process_does_not_wait_for_a_receiver_that_hangs():
    receiver = Receiver(held_up=True)
    shipment = SpanShipment(TRACING, receiver)
    ends(shipment)("lost")
    assert receiver.asked.wait(30)
    shipment.shutdown()
    assert receiver.spans == []
    receiver.let_go.set()


def test_why_nobody_takes_spans_is_said_without_the_token(caplog: pytest.LogCaptureFixture):
    with ThreadingHTTPServer(("127.0.0.1", 0), _Collector) as nobody:
        address = f"http://127.0.0.1:{nobody.server_port}"
    tracing = TracingSettings(endpoint=address, token="open sesame", timeout_seconds=0.3)
    shipment = SpanShipment(tracing)
    with caplog.at_level(logging.WARNING):
        ends(shipment)("lost")
        shipment.shutdown()
    (said,) = [r.message for r in caplog.records if "does not take spans" in r.message]
    assert address in said
    assert "open sesame" not in caplog.text


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("http://c:4318", "http://c:4318/v1/traces"),
        ("http://c:4318/", "http://c:4318/v1/traces"),
        ("https://c/otlp/v1/traces", "https://c/otlp/v1/traces"),
    ],
)
def test_the_path_of_otlp_is_added_where_there_is_none(endpoint: str, expected: str):
    assert traces_url(endpoint) == expected
