"""The only place that makes Faust apps, with the settings under which Faust loses nothing.

Comes in: settings and a stage's name. Goes out: a Stage: an app whose agents take one event at a
time per partition, acknowledged by hand after the work. Promise: a handler ends as done or as a
dead letter; when neither can be written, the process ends and recovery does the rest.
"""

import asyncio
import logging
import os
import traceback
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from typing import Any, NoReturn

import faust
from aiokafka.errors import KafkaError
from faust.auth import Credentials, OAuthCredentials, SASLCredentials, SSLCredentials
from faust.types import TP, EventT

from schemas.base import Record
from schemas.topics import Topic
from streams import metrics
from streams.clock import FreezeWatch, monotonic_ms, now_ms
from streams.deadletters import DeadLetter
from streams.delivery import Delivery, Reader, Removal, decode, make_reader
from streams.errors import BrokerError, DecodeError
from streams.kafka import (
    client_options,
    tls_context,
    uses_sasl,
    uses_tls,
)
from streams.ordered import Sequence, order
from streams.outbox import Outbox
from streams.settings import KafkaSettings, SaslMechanism, Settings
from streams.state import Position, StateTable
from streams.tracing.choice import make_tracing
from streams.tracing.span import KEY_ATTRIBUTE, PLACE_ATTRIBUTES, at_work
from streams.tracing.traceparent import HEADER, read_traceparent

log = logging.getLogger(__name__)

WATCH_INTERVAL_SECONDS = 0.25
EXIT_UNRECOVERABLE = 70

Handler = Callable[[Delivery], Awaitable[None]]
RemovalHandler = Callable[[Removal], Awaitable[None]]


class Stage:
    """One Faust app, its outbox and its state."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings
        self.tracing = make_tracing(settings, name)
        self._sources: set[str] = set()
        self._tended: list[tuple[str, Callable[[], Awaitable[None]], float]] = []
        self.watch = FreezeWatch(settings.kafka.session_timeout_ms // 2)
        self.outbox = Outbox(settings, name, self.watch)
        self.app = order(_make_app(name, settings))
        self._sequence = Sequence(self.app, settings.kafka)
        self.last_done_ms = monotonic_ms()
        self.done: dict[tuple[str, int], int] = {}
        """The next offset to work on, per source partition that was worked on here."""
        self._rebalanced = False
        self._watching = False
        self.app.on_rebalance_complete.connect(self._on_rebalance_complete)
        self.app.on_partitions_assigned.connect(self._on_partitions_assigned)

    @property
    def ready(self) -> bool:
        """Tell whether partitions are assigned and tables recovered (a stand-by is ready too)."""
        return self._rebalanced and not self.app.rebalancing and not self.app.in_recovery

    def lags(self) -> dict[tuple[str, int], int]:
        """Return how many records of each source partition are not yet worked on."""
        if not self.ready:
            return {}
        consumer: Any = self.app.consumer
        lags = {}
        for source in consumer.assignment():
            end = consumer.highwater(source)
            done = self.done.get((source.topic, source.partition))
            if done is None:
                done = consumer._committed_offset.get(source)
            if source.topic in self._sources and end is not None and done is not None:
                lags[source.topic, source.partition] = max(0, end - done)
        return lags

    def _on_partitions_assigned(self, *_: Any, **__: Any) -> None:
        # From here on a freeze can cost us partitions, during the recovery of tables too.
        if not self._watching:
            self._watching = True
            self.watch.tick()
            self.app.add_future(self._watch_loop())
            self.app.add_future(self._order_loop())
            for tended in self._tended:
                self.app.add_future(self._tend_loop(*tended))

    def _on_rebalance_complete(self, *_: Any, **__: Any) -> None:
        self._rebalanced = True
        self.done.clear()
        self._sequence.forget()
        metrics.forget_partitions()

    def table(self, topic: Topic, position: Position) -> StateTable:
        """Declare the stage's state, kept in `topic`."""
        return StateTable(
            self.app,
            self.outbox,
            self.settings.topics.name(topic),
            self.settings.topics.partitions(topic),
            position,
        )

    def consume(
        self,
        topic: Topic,
        types: Iterable[type[Record]],
        handler: Handler,
        removed: RemovalHandler | None = None,
    ) -> None:
        """Give each record of `topic` to `handler`, in order within its partition.

        Tombstones go to `removed`, in the same order; without it they are passed over.
        """
        reader = make_reader(types)
        self._sources.add(self.settings.topics.name(topic))
        channel = self.app.topic(
            self.settings.topics.name(topic),
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            partitions=self.settings.topics.partitions(topic),
            allow_empty=True,
        )

        async def agent(stream: AsyncIterable[Any]) -> None:
            manual = stream.noack()  # type: ignore[attr-defined]
            async for event in manual.events():
                if not await self._is_next(event):
                    continue  # not acknowledged: it comes again, in its place
                await self._handle(event, reader, handler, removed)
                await manual.ack(event)

        self.app.agent(
            channel, name=f"{self.name}.{topic.short}", isolated_partitions=True, concurrency=1
        )(agent)

    def tend(
        self, topic: Topic, action: Callable[[], Awaitable[None]], every_seconds: float
    ) -> None:
        """Call `action` now and then while this process owns partition 0 of `topic`."""
        self._tended.append((self.settings.topics.name(topic), action, every_seconds))

    async def _tend_loop(
        self, topic: str, action: Callable[[], Awaitable[None]], every_seconds: float
    ) -> None:
        while not self.app.should_stop:
            await asyncio.sleep(every_seconds)
            if not self.ready or TP(topic, 0) not in self.app.consumer.assignment():
                continue
            try:
                await action()
            except (KafkaError, BrokerError) as error:
                self._end(f"it cannot publish: {error}")
            except Exception:
                log.exception("%s could not tend to %s", self.name, topic)

    async def _is_next(self, event: EventT[Any]) -> bool:
        try:
            return await self._sequence.is_next(event)
        except (KafkaError, BrokerError) as error:
            self._end(f"it cannot read on: {error}")

    def _end(self, why: str) -> NoReturn:
        log.critical("%s ends, %s", self.name, why)
        os._exit(EXIT_UNRECOVERABLE)

    async def _handle(
        self,
        event: EventT[Any],
        reader: Reader,
        handler: Handler,
        removed: RemovalHandler | None,
    ) -> None:
        try:
            try:
                record = decode(event.message.value, reader)
                if record is not None:
                    await self._work(Delivery(record, event.message), event, handler)
                elif removed is not None:
                    source = event.message
                    await removed(Removal(source.key or b"", source.partition, source.offset))
            except DecodeError as error:
                await self.outbox.set_aside(self._letter(event, error.reason, str(error)))
            except (KafkaError, BrokerError):
                raise
            except Exception as error:
                # A fault in pure logic must cost one message, never the stream.
                log.exception("%s could not handle %s", self.name, event.message.offset)
                last = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{last.name} line {last.lineno}: {type(error).__name__}: {error}"
                await self.outbox.set_aside(self._letter(event, "handler-error", where))
        except (KafkaError, BrokerError) as error:
            self._end(f"it cannot publish: {error}")
        self.last_done_ms = monotonic_ms()
        metrics.RECORDS_DONE.labels(self.name).inc()
        self.done[event.message.topic, event.message.partition] = event.message.offset + 1
        self._sequence.done(event)

    async def _work(self, delivery: Delivery, event: EventT[Any], handler: Handler) -> None:
        """Give one record to its handler, as a part of the trace that it came with."""
        source = event.message
        parent = read_traceparent(delivery.headers.get(HEADER))
        name = f"{self.name} {source.topic.removeprefix(self.settings.topics.prefix)}"
        place = (source.topic, source.partition, source.offset)
        with at_work(self.tracing.delivery(name, parent, *place)) as span:
            delivery.traceparent = span.traceparent
            if parent is not None:
                span.tell(dict(zip(PLACE_ATTRIBUTES, place, strict=True)))
                span.tell({KEY_ATTRIBUTE: delivery.key.decode("utf-8", "replace")})
            try:
                await handler(delivery)
            except Exception as error:
                span.fail(error.reason if isinstance(error, DecodeError) else "handler-error")
                raise

    def _letter(self, event: EventT[Any], reason: str, message: str) -> DeadLetter:
        source = event.message
        headers = source.headers or {}
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        return DeadLetter(
            self.name,
            source.topic,
            source.partition,
            source.offset,
            reason,
            message,
            now_ms(),
            source.key,
            source.value,
            tuple(pairs),
        )

    async def _watch_loop(self) -> None:
        while not self.app.should_stop:
            await asyncio.sleep(WATCH_INTERVAL_SECONDS)
            # Nothing else is awaited here: the watch must see freezes only, and at once.
            self.watch.tick()

    async def _order_loop(self) -> None:
        while not self.app.should_stop:
            await asyncio.sleep(WATCH_INTERVAL_SECONDS)
            try:
                await self._sequence.tend()
                if self.ready:
                    await self._sequence.mend_stalls()
            except (KafkaError, BrokerError) as error:
                self._end(f"it cannot read on: {error}")


def _make_app(name: str, settings: Settings) -> faust.App:
    topics = settings.topics
    return faust.App(
        f"{topics.prefix}{name}",
        broker=[f"aiokafka://{address}" for address in settings.kafka.bootstrap.split(",")],
        broker_credentials=_credentials(settings.kafka),
        datadir=str(settings.worker.data_folder / f"faust-{name}"),
        store="memory://",
        processing_guarantee="at_least_once",
        broker_commit_interval=1.0,
        broker_session_timeout=settings.kafka.session_timeout_ms / 1000,
        broker_heartbeat_interval=settings.kafka.session_timeout_ms / 5000,
        # Longer than the slowest handler with its retries: a slow stage must not be thrown out.
        broker_rebalance_timeout=max(120.0, settings.kafka.session_timeout_ms / 500),
        broker_max_poll_interval=86_400.0,
        broker_request_timeout=max(90.0, settings.kafka.session_timeout_ms / 1000 * 3),
        stream_buffer_maxsize=64,
        stream_wait_empty=True,
        stream_recovery_delay=0.0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
        producer_acks=-1,
        autodiscover=False,
        table_standby_replicas=0,
    )


def _credentials(kafka: KafkaSettings) -> Credentials | None:
    context = tls_context(kafka)
    if not uses_sasl(kafka):
        return SSLCredentials(context) if uses_tls(kafka) else None
    if kafka.sasl_mechanism is SaslMechanism.OAUTHBEARER:
        provider = client_options(kafka)["sasl_oauth_token_provider"]
        return OAuthCredentials(oauth_cb=provider, ssl_context=context)
    password = kafka.sasl_password
    return SASLCredentials(
        username=kafka.sasl_username,
        password=password.get_secret_value() if password else None,
        ssl_context=context,
        mechanism=kafka.sasl_mechanism.value,
    )
