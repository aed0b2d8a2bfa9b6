"""What cannot be processed is kept: key and value untouched, all else in headers.

Comes in: one message as it was read, and why it cannot be used. Goes out: the same bytes on the
dead-letters topic. Promise: the source's topic, partition and offset stand in the headers, so a
message that is set aside twice is recognised as one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

from schemas.envelope import Headers, iso_time
from streams import metrics

SOURCE = "opspilot-source-"
REPLAYED_HEADER = "opspilot-replayed"
MAX_MESSAGE_CHARS = 1_000
PARTITION = 0
"""The only one: people read the dead letters in one order."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that a stage cannot use."""

    stage: str
    topic: str
    partition: int
    offset: int
    reason: str
    """A short stable word, for metrics and filters."""
    message: str
    """One sentence for a person."""
    time_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()

    @property
    def place(self) -> str:
        """Return `topic/partition/offset`, by which people name the dead letter."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    def to_headers(self) -> Headers:
        """Return all that is known, with the source's own headers kept beside."""
        kept = [(f"{SOURCE}header-{name}", value or b"") for name, value in self.headers]
        return [
            (f"{SOURCE}topic", self.topic.encode()),
            (f"{SOURCE}partition", str(self.partition).encode()),
            (f"{SOURCE}offset", str(self.offset).encode()),
            ("opspilot-stage", self.stage.encode()),
            ("opspilot-reason", self.reason.encode()),
            ("opspilot-message", self.message[:MAX_MESSAGE_CHARS].encode("utf-8", "replace")),
            ("opspilot-time", iso_time(self.time_ms).encode()),
            *kept,
        ]


async def send_dead_letter(producer: AIOKafkaProducer, topic: str, letter: DeadLetter) -> None:
    """Publish `letter` and wait until the broker has it; raises KafkaError if it does not."""
    headers = letter.to_headers()
    if letter.key is None and letter.value is None:
        # The client refuses to send nothing, but nothing is what came.
        batch = producer.create_batch()
        batch.append(timestamp=None, key=None, value=None, headers=headers)
        await (await producer.send_batch(batch, topic, partition=PARTITION))
    else:
        await producer.send_and_wait(
            topic, key=letter.key, value=letter.value, headers=headers, partition=PARTITION
        )
    metrics.DEAD_LETTERS.labels(letter.stage, letter.reason).inc()
