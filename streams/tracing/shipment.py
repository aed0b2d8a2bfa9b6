"""Ships finished spans by OTLP over HTTP, from a thread of its own and a queue that is bounded.

Comes in: spans as they end. Goes out: requests to the receiver. Promise: whoever ends a span never
waits; what a full queue or a receiver that does not take it costs is spans, which are counted, and
one line of the log an hour; `shutdown` returns within seconds.
"""

import logging
import queue
import threading
from contextlib import suppress
from time import monotonic

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from streams import metrics
from streams.tracingsettings import TracingSettings

log = logging.getLogger(__name__)

TRACES_PATH = "/v1/traces"
BATCH_SPANS = 512
EVERY_SECONDS = 1.0
SAID_AGAIN_SECONDS = 3_600.0
LAST_SECONDS = 3.0
"""How long the end of a process may wait for its last spans."""


class SpanShipment(SpanProcessor):
    """Takes the spans of one process; its thread begins with the first of them."""

    def __init__(self, tracing: TracingSettings, exporter: SpanExporter | None = None) -> None:
        self._endpoint = traces_url(tracing.endpoint or "")
        self._word = _LastWord()
        self._exporter = exporter or self._make_exporter(tracing)
        self._queue: queue.Queue[ReadableSpan | None] = queue.Queue(tracing.queue_spans)
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._dropped = 0
        self._said_at: float | None = None

    def _make_exporter(self, tracing: TracingSettings) -> SpanExporter:
        # As with model servers: no proxy, login or key of the environment is used.
        session = requests.Session()
        session.trust_env = False
        headers = {}
        if tracing.token is not None:
            headers["authorization"] = f"Bearer {tracing.token.get_secret_value()}"
        self._word.listen()
        return OTLPSpanExporter(
            endpoint=self._endpoint,
            certificate_file=str(tracing.ca_file) if tracing.ca_file else None,
            headers=headers,
            timeout=tracing.timeout_seconds,
            compression=Compression.Gzip,
            session=session,
        )

    def on_end(self, span: ReadableSpan) -> None:
        """Take one span; never waits."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._ship, name="spans", daemon=True)
            self._thread.start()
        try:
            self._queue.put_nowait(span)
        except queue.Full:
            self._lost(1, "more spans end than it takes")

    def shutdown(self) -> None:
        """Ship what waits; gives up after LAST_SECONDS."""
        if self._thread is not None and not self._stopping.is_set():
            self._stopping.set()
            with suppress(queue.Full):
                self._queue.put_nowait(None)  # it need not wait for its next round
            self._thread.join(LAST_SECONDS)
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002
        """Do nothing: the thread ships every second."""
        return True

    def _ship(self) -> None:
        while not (self._stopping.is_set() and self._queue.empty()):
            spans = self._collect()
            if spans:
                self._export(spans)

    def _collect(self) -> list[ReadableSpan]:
        """Wait for a batch, or for what has come within a second."""
        spans: list[ReadableSpan] = []
        until = monotonic() + EVERY_SECONDS
        while len(spans) < BATCH_SPANS:
            left_seconds = 0.0 if self._stopping.is_set() else until - monotonic()
            try:
                span = self._queue.get(left_seconds > 0, left_seconds)
            except queue.Empty:
                break
            if span is not None:
                spans.append(span)
        return spans

    def _export(self, spans: list[ReadableSpan]) -> None:
        try:
            taken = self._exporter.export(spans) is SpanExportResult.SUCCESS
        except Exception as error:
            # Whatever it is, it must cost spans, not this thread.
            taken, self._word.said = False, f"{type(error).__name__}: {error}"
        if not taken:
            self._lost(len(spans), self._word.said)
            return
        metrics.SPANS.labels("delivered").inc(len(spans))

    def _lost(self, spans: int, why: str) -> None:
        metrics.SPANS.labels("dropped").inc(spans)
        self._dropped += spans
        if self._said_at is None or monotonic() - self._said_at > SAID_AGAIN_SECONDS:
            self._said_at = monotonic()
            log.warning(
                "%s does not take spans (%s): %d dropped so far, the work goes on",
                self._endpoint, why, self._dropped,
            )  # fmt: skip


class _LastWord(logging.Handler):
    """Keeps the exporter's last complaint, which is said once instead of with every try."""

    said = "no answer"

    def listen(self) -> None:
        """Take over what the exporter logs."""
        exporters = logging.getLogger("opentelemetry.exporter")
        exporters.handlers, exporters.propagate = [self], False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a complaint."""
        self.said = record.getMessage()[:300]


def traces_url(endpoint: str) -> str:
    """Return where traces go: the path of OTLP is added to an address that has none."""
    address = endpoint.rstrip("/")
    return address if "/" in address.partition("://")[2] else address + TRACES_PATH
