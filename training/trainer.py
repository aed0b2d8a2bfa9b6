"""The trainer: takes requests from Kafka, one after the other, and says what came of each.

Comes in: training.requests. Goes out: training.results, with progress. Promise: while a job runs
the partition is paused and the consumer keeps polling, so its place in the group is kept; an offset
is committed after the result is with the broker; whoever loses the partition stops its training.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping

from aiokafka import (
    AIOKafkaConsumer,
    ConsumerRebalanceListener,
    ConsumerRecord,
    TopicPartition,
)
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from schemas.learning import ENDED, RetrainingRequest, RetrainingResult, TrainingState
from schemas.topics import TRAINING_REQUESTS, TRAINING_RESULTS
from streams import metrics
from streams.clock import FreezeWatch, monotonic_ms, now_ms
from streams.deadletters import DeadLetter
from streams.errors import BrokerError
from streams.kafka import make_consumer, start, stop
from streams.outbox import Letter, Outbox
from streams.settings import Settings
from training.jobs import Around, Job

log = logging.getLogger(__name__)

STAGE = "trainer"
POLL_MS = 500
TICK_SECONDS = 0.25
PROGRESS_EVERY_MS = 5_000


class Trainer:
    """One member of the trainer's group."""

    def __init__(self, settings: Settings, around: Around) -> None:
        self._settings = settings
        self._around = around
        self._watch = FreezeWatch(settings.kafka.session_timeout_ms // 2)
        self._outbox = Outbox(settings, STAGE, self._watch)
        self._consumer: AIOKafkaConsumer = make_consumer(
            settings.kafka, group=f"{settings.topics.prefix}{STAGE}"
        )
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._last_progress_ms = 0
        self.ready = False
        for state in ENDED:
            # From 0 on: a rate sees only what a series had a value before.
            metrics.TRAINING_RESULTS.labels(state.value)
        self.last_done_ms = monotonic_ms()

    @property
    def lag(self) -> int:
        """Return how many requests are in work: none is waited for in vain."""
        return 0

    def stop_soon(self) -> None:
        """Stop the training, whose checkpoint stays, and leave the group."""
        self._stopping.set()

    async def broker_answers(self) -> bool:
        """Tell whether a broker answers a question now."""
        return await self._outbox.broker_answers()

    async def run(self) -> None:
        """Work until `stop_soon`; raises BrokerError in one sentence when Kafka is lost."""
        await self._outbox.start()
        name = self._settings.topics.name(TRAINING_REQUESTS)
        self._consumer.subscribe([name], listener=_Listener(self))
        ticking = asyncio.create_task(self._tick())
        try:
            await start(self._consumer, self._settings.kafka)
            while not self._stopping.is_set():
                await self._round()
        except KafkaError as error:
            where = self._settings.kafka.bootstrap
            raise BrokerError(f"the trainer lost Kafka at {where}: {error!r}") from error
        finally:
            await self.drop_work()
            ticking.cancel()
            await stop(self._consumer)
            await self._outbox.stop()

    async def drop_work(self) -> None:
        """End the work in hand without a result: somebody will take it up from its folder."""
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task

    async def _round(self) -> None:
        # Polls in any case: a member that does not is taken for dead.
        found = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=1)
        if self._task is not None and self._task.done():
            task, self._task = self._task, None
            await task  # raises what the work raised
            self._consumer.resume(*self._consumer.assignment())
            self.last_done_ms = monotonic_ms()
        for tp, records in found.items():
            for record in records:
                self._consumer.pause(tp)
                self._task = asyncio.create_task(self._work(tp, record))

    async def _work(self, tp: TopicPartition, record: ConsumerRecord) -> None:
        """Bring one request to its end and commit it."""
        try:
            request = RetrainingRequest.from_bytes(record.value or b"")
        except ValidationError as error:
            await self._outbox.set_aside(_letter(record, error))
        else:
            await self._train(request)
        await self._consumer.commit({tp: record.offset + 1})

    async def _train(self, request: RetrainingRequest) -> None:
        job = Job(request, self._settings, self._around)
        result = job.ended()
        if result is None:
            await self._wait_for_time(job)
            await self._say(job.result(TrainingState.RUNNING, "training has begun"))

            async def told(progress: float, figures: Mapping[str, float]) -> None:
                metrics.TRAINING_PROGRESS.set(progress)
                if monotonic_ms() - self._last_progress_ms >= PROGRESS_EVERY_MS:
                    self._last_progress_ms = monotonic_ms()
                    running = job.result(TrainingState.RUNNING, "training", figures)
                    await self._say(running.model_copy(update={"progress": progress}))

            try:
                result = await job.run(told)
            finally:
                metrics.TRAINING_PROGRESS.set(0)
            log.info("request %s: %s, %s", request.id, result.state, result.reason)
        await self._say(result)
        metrics.TRAINING_RESULTS.labels(result.state.value).inc()

    async def _wait_for_time(self, job: Job) -> None:
        if job.request.scheduled_ms <= now_ms():
            return
        await self._say(job.result(TrainingState.SCHEDULED, "training waits for its time"))
        while (left_ms := job.request.scheduled_ms - now_ms()) > 0:
            await asyncio.sleep(min(left_ms / 1000, 60.0))

    async def _say(self, result: RetrainingResult) -> None:
        event_id = f"{result.request_id}-{result.state}-{result.progress:.3f}"
        letter = Letter(TRAINING_RESULTS, result.model, result, event_id, now_ms())
        await self._outbox.publish([letter])

    async def _tick(self) -> None:
        while True:
            self._watch.tick()
            await asyncio.sleep(TICK_SECONDS)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """What the group tells the trainer."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # noqa: ARG002
        """Stop: what is not committed comes again, to us or to somebody else."""
        self._trainer.ready = False
        await self._trainer.drop_work()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:  # noqa: ARG002
        """Be ready, also without a partition: others work."""
        self._trainer.ready = True


def _letter(record: ConsumerRecord, error: ValidationError) -> DeadLetter:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "record"
    return DeadLetter(
        stage=STAGE,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason="not-a-request",
        message=f"it is not a training request: {where}: {first['msg']}",
        time_ms=now_ms(),
        key=record.key,
        value=record.value,
        headers=record.headers,
    )
