"""Replaying ends: a broker that has gone is said, not waited for."""

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from opspilot import replaying
from opspilot.logfiles import LogFile, LogLine
from opspilot.replaying import Replayer
from streams import kafka
from streams.errors import BrokerError
from streams.settings import KafkaSettings, Settings


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that took the connection and then never answers, nor lets go."""

    async def nothing(self: AIOKafkaProducer) -> None:
        return None

    async def for_ever(self: AIOKafkaProducer) -> None:
        await asyncio.Event().wait()

    async def six(self: AIOKafkaProducer, topic: str) -> set[int]:
        return set(range(6))

    async def unanswered(self, batch, topic, *, partition) -> asyncio.Future[object]:
        return asyncio.get_running_loop().create_future()

    monkeypatch.setattr(AIOKafkaProducer, "start", nothing)
    monkeypatch.setattr(AIOKafkaProducer, "stop", for_ever)
    monkeypatch.setattr(AIOKafkaProducer, "partitions_for", six)
    monkeypatch.setattr(AIOKafkaProducer, "send_batch", unanswered)
    monkeypatch.setattr(replaying, "ACKNOWLEDGED_WITHIN_SECONDS", 0.05)
    monkeypatch.setattr(kafka, "STOP_TIMEOUT_SECONDS", 0.05)


async def test_lines_that_nobody_acknowledges_end_in_one_sentence(gone: None) -> None:
    settings = Settings(kafka=KafkaSettings(bootstrap="127.0.0.1:19999"))
    file = LogFile(Path("app.log"), "prod/shop/app")
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:19999 has not acknowledged lines for"):
        await Replayer(settings).run([LogLine(file, "a line", 7, None)])
