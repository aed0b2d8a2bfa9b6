"""Clients that have started can be asked; what goes wrong afterwards is one sentence."""

from types import SimpleNamespace

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import NodeNotReadyError

from streams.errors import BrokerError
from streams.kafka import make_admin, started
from streams.settings import KafkaSettings

KAFKA = KafkaSettings(bootstrap="127.0.0.1:19999")


class _Client:
    """A connection to a broker that registers after some questions."""

    def __init__(self, questions: int) -> None:
        self._left = questions
        self.cluster = SimpleNamespace(brokers=self._brokers, controller=None)

    def _brokers(self) -> list[str]:
        return ["a broker"] if self._left <= 1 else []

    async def force_metadata_update(self) -> bool:
        self._left -= 1
        if self._left <= 0:
            self.cluster.controller = "the controller"
        return True

    async def close(self) -> None:
        self.cluster.controller = None


@pytest.fixture
async def admin(monkeypatch: pytest.MonkeyPatch):
    async def bootstrap(self) -> None:
        self._client = _Client(questions=3)

    monkeypatch.setattr("streams.kafka.REGISTRATION_POLL_SECONDS", 0)
    monkeypatch.setattr(AIOKafkaAdminClient, "start", bootstrap)
    return make_admin(KAFKA)


async def test_an_admin_client_has_started_when_there_is_somebody_to_ask(admin):
    async with started(admin, KAFKA) as client:
        assert client._client.cluster.brokers()
        assert client._client.cluster.controller == "the controller"


async def test_what_kafka_says_later_is_one_sentence(admin):
    with pytest.raises(BrokerError, match=r"lost Kafka at 127\.0\.0\.1:19999: NodeNotReadyError"):
        async with started(admin, KAFKA):
            raise NodeNotReadyError("no node")
