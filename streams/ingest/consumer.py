"""The ingest hop: raw lines in, digests, progress and ledger out, each line counted once.

Promise (the order is what keeps it): a batch's end is committed beside its beginning before its
digests are published, and its end after they are acknowledged. Whoever owns the partition after a
crash reads the promise and makes the same digests again, which analyze then recognises.
"""

import asyncio
import logging
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalOperation, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata

from schemas.digest import PartitionProgress, Progress
from schemas.topics import LOGS_DIGESTS, LOGS_RAW
from streams import metrics
from streams.clock import FreezeWatch, monotonic_ms, now_ms
from streams.errors import BrokerError
from streams.ingest.batch import RawBatch, ReducerOptions
from streams.ingest.culprits import reduce_surely
from streams.ingest.fetch import Fetched, RawFetcher
from streams.ingest.offsets import read_states
from streams.ingest.promise import PartitionState
from streams.ingest.publish import BatchResult, publish_batches
from streams.ingest.reduce import Reducer
from streams.ingest.traces import begin_batch, end_batches
from streams.kafka import make_admin, make_consumer, start, stop
from streams.outbox import Letter, Outbox
from streams.settings import Settings
from streams.tracing.choice import make_tracing

log = logging.getLogger(__name__)

STAGE = "ingest"
WATCH_INTERVAL_SECONDS = 0.25


class IngestWorker:
    """One member of the ingest group."""

    def __init__(self, settings: Settings) -> None:
        # First, as it may refuse, and the clients below would have to be closed.
        self.tracing = make_tracing(settings, STAGE)
        self._settings = settings
        self._kafka = settings.kafka
        self._group = f"{settings.topics.prefix}{STAGE}"
        self._watch = FreezeWatch(settings.kafka.session_timeout_ms // 2)
        self._outbox = Outbox(settings, STAGE, self._watch)
        self._reducer = Reducer(reducer_options(settings))
        self._consumer = self._make_consumer()
        self._fetcher = RawFetcher(self._consumer)
        self._admin = make_admin(self._kafka)
        self._lock = asyncio.Lock()
        self._epoch = 0
        self._states: dict[TopicPartition, PartitionState] = {}
        self._held: dict[TopicPartition, Fetched] = {}
        self._stopping = asyncio.Event()
        self._fault: KafkaError | BrokerError | None = None
        self._progress_due_ms = 0
        self.ready = False
        self.last_done_ms = monotonic_ms()

    def _make_consumer(self) -> AIOKafkaConsumer:
        return make_consumer(
            self._kafka,
            group=self._group,
            max_poll_interval_ms=86_400_000,
            # About one batch of a partition: what is fetched ahead of that only takes memory.
            max_partition_fetch_bytes=2 << 20,
            rebalance_timeout_ms=max(60_000, self._kafka.session_timeout_ms),
        )

    def lags(self) -> dict[tuple[str, int], int]:
        """Return how many records of each of our partitions are not yet digested."""
        return {
            (tp.topic, tp.partition): max(0, (self._consumer.highwater(tp) or 0) - state.position)
            for tp, state in self._states.items()
        }

    async def broker_answers(self) -> bool:
        """Tell whether a broker answers a question now."""
        return await self._outbox.broker_answers()

    def stop_soon(self) -> None:
        """Finish the batch in hand, then leave the group."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop_soon`; raises BrokerError in one sentence when Kafka is lost."""
        ingest = self._settings.ingest
        await start(self._admin, self._kafka)
        await self._outbox.start()
        listener = _Listener(self)
        if ingest.topic_pattern:
            self._consumer.subscribe(pattern=ingest.topic_pattern, listener=listener)
        else:
            topics = ingest.topics or (self._settings.topics.name(LOGS_RAW),)
            self._consumer.subscribe(list(topics), listener=listener)
        watcher = asyncio.create_task(self._watch_loop())
        try:
            await start(self._consumer, self._kafka)
            while not self._stopping.is_set():
                if self._fault is not None:
                    raise self._fault
                fetched = await self._fetcher.poll(ingest.batch_wait_ms, ingest.batch_records)
                await self._round(fetched, self._epoch)
                await self._say_progress()
        except KafkaError as error:
            raise BrokerError(f"ingest lost Kafka at {self._kafka.bootstrap}: {error}") from error
        finally:
            watcher.cancel()
            await stop(self._consumer)
            await self._outbox.stop()
            await stop(self._admin)

    async def _watch_loop(self) -> None:
        while True:
            self._watch.tick()
            await asyncio.sleep(WATCH_INTERVAL_SECONDS)

    async def _round(self, fetched: Iterable[Fetched], epoch: int) -> None:
        """Digest what was fetched; all of it is void if a rebalance came since the fetch."""
        async with self._lock:
            if epoch != self._epoch:
                return
            pieces = list(fetched)
            if any(map(self._out_of_place, pieces)):
                await self._reload(self._consumer.assignment())
                return
            batches = self._assemble(pieces)
            if not batches:
                return
            if not await self._commit(
                {tp: self._states[tp].promise(batch.to_offset) for tp, batch in batches.items()}
            ):
                return
            with metrics.BATCH_SECONDS.time():
                results = {
                    tp: self._reduce(tp, batch, self._states[tp]) for tp, batch in batches.items()
                }
                await publish_batches(self._outbox, results.values())
            committed = await self._commit({tp: result.state for tp, result in results.items()})
            end_batches(results.values(), committed=committed)
            if not committed:
                return
            self._states |= {tp: result.state for tp, result in results.items()}
            self.last_done_ms = monotonic_ms()
            metrics.SHAPES_CACHED.set(self._reducer.cached_keys)
            metrics.SHAPE_CACHE_HIT_RATIO.set(self._reducer.hit_ratio)

    def _reduce(self, tp: TopicPartition, batch: RawBatch, state: PartitionState) -> BatchResult:
        span = begin_batch(self.tracing, self._settings.topics.prefix, batch)
        reduced = reduce_surely(self._reducer, batch)
        appended_ms = max(batch.append_ms, default=0)
        after = state.advance(
            batch.to_offset, reduced.counts, reduced.clock_ms, appended_ms, reduced.ended
        )
        return BatchResult(tp.topic, tp.partition, batch, reduced, after, span)

    def _assemble(self, fetched: Iterable[Fetched]) -> dict[TopicPartition, RawBatch]:
        """Join what is held with what came, and cut it where a promise says."""
        batches = {}
        for piece in fetched:
            tp = TopicPartition(piece.topic, piece.partition)
            state = self._states.get(tp)
            if state is None:
                continue
            held = self._held.pop(tp, None)
            joined = held.joined(piece) if held else piece
            to_offset = joined.next_offset
            if state.promised_to is not None:
                if to_offset < state.promised_to:
                    self._held[tp] = joined
                    continue
                to_offset = state.promised_to
                if joined.next_offset > to_offset:
                    self._consumer.seek(tp, to_offset)
            batches[tp] = joined.to_batch(
                state.position,
                to_offset,
                clock_ms=state.clock_ms,
                raw_partitions=self._raw_partitions(),
            )
        return batches

    def _raw_partitions(self) -> int:
        topics = self._consumer.subscription()
        return sum(len(self._consumer.partitions_for_topic(topic) or ()) for topic in topics)

    async def _commit(self, states: dict[TopicPartition, PartitionState]) -> bool:
        """Commit; after a refusal everything in hand is void and is read again."""
        offsets = {
            tp: OffsetAndMetadata(state.position, state.metadata()) for tp, state in states.items()
        }
        try:
            await self._consumer.commit(offsets)
        except (KafkaError, IllegalStateError, IllegalOperation) as error:
            log.warning("a commit was refused, all that is held is void: %s", error)
            metrics.REBALANCES.labels("commit-refused").inc()
            await self._reload(self._consumer.assignment())
            return False
        return True

    async def _reload(self, partitions: Iterable[TopicPartition]) -> None:
        """Forget all that is held and go on from what the group has committed."""
        self._epoch += 1
        self._held.clear()
        self._states = {}
        states = await read_states(self._admin, self._consumer, self._group, partitions)
        for tp, state in states.items():
            self._consumer.seek(tp, state.position)
        self._states = states

    def _out_of_place(self, piece: Fetched) -> bool:
        """Tell whether the consumer jumped: it does so by itself where its offset is gone."""
        tp = TopicPartition(piece.topic, piece.partition)
        state = self._states.get(tp)
        if state is None:
            return False
        expected = self._held[tp].next_offset if tp in self._held else state.position
        # Without the direct fetcher a piece begins at its first record, behind any gap.
        return piece.position < expected or (self._fetcher.direct and piece.position > expected)

    async def on_revoked(self) -> None:
        """Void all records in hand before the partitions go."""
        async with self._lock:
            self._epoch += 1
            self._held.clear()
            self._states = {}
            self._fetcher.forget()
            metrics.REBALANCES.labels("rebalance").inc()
            metrics.forget_partitions()

    async def on_assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """Go on from what the group has committed, promises included."""
        async with self._lock:
            self._watch.check()
            try:
                await self._reload(partitions)
            except (KafkaError, BrokerError) as error:
                # aiokafka only logs what a callback raises, and would go on without our states.
                self._fault = error
                return
            self.ready = True
            self._progress_due_ms = 0

    async def _say_progress(self) -> None:
        """Tell every digest partition how far our raw partitions are, now and then."""
        if monotonic_ms() < self._progress_due_ms or not self._states:
            return
        async with self._lock:
            now = now_ms()
            said = [self._progress_of(tp, state, now) for tp, state in self._states.items()]
            record = Progress(
                partitions=tuple(said), raw_partitions=self._raw_partitions(), sent_ms=now
            )
            letters = [
                Letter(LOGS_DIGESTS, "progress", record, f"progress-{now}", now, partition)
                for partition in range(self._settings.topics.partitions(LOGS_DIGESTS))
            ]
            await self._outbox.publish(letters)
        self._progress_due_ms = monotonic_ms() + self._settings.ingest.progress_interval_ms

    def _progress_of(
        self, tp: TopicPartition, state: PartitionState, now: int
    ) -> PartitionProgress:
        end = self._consumer.highwater(tp)
        # Until the first fetch answers we do not know where the end is: that is not caught up.
        end_offset = end if end is not None else state.position + 1
        return state.progress(tp.topic, tp.partition, end_offset=end_offset, now_ms=now)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Passes the group's callbacks on."""

    def __init__(self, worker: IngestWorker) -> None:
        self._worker = worker

    async def on_partitions_revoked(self, _revoked: Iterable[TopicPartition]) -> None:
        """Void what is held; with eager rebalancing all partitions go at once."""
        await self._worker.on_revoked()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Take over."""
        await self._worker.on_assigned(list(assigned))


def reducer_options(settings: Settings) -> ReducerOptions:
    """Return the part of the settings on which a digest depends."""
    names = ReducerOptions.__dataclass_fields__
    given = {k: v for k, v in settings.ingest.model_dump().items() if k in names}
    return ReducerOptions(**given)
