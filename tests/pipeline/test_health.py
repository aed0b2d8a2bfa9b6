"""What each worker tells its keepers, asked of the real processes."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from stages import StageProcess, send, settings_for

from opspilot.local.broker import BrokerOptions, EmbeddedBroker
from opspilot.local.runtime import KafkaRuntime
from schemas.topics import LOGS_DIGESTS, LOGS_RAW
from streams.admin import create_topics

pytestmark = pytest.mark.kafka
STAGES = ("ingest", "analyze", "correlate", "classify", "recommend")


@pytest.fixture
def own_broker(tmp_path: Path, kafka_runtime: KafkaRuntime) -> Iterator[EmbeddedBroker]:
    options = BrokerOptions(start_seconds=120.0)
    broker = EmbeddedBroker(tmp_path / "kafka", kafka_runtime, options).start()
    yield broker
    broker.kill()


async def accept_nothing(bootstrap: str, topic: str) -> None:
    """Leave a stage nowhere to write to: it tries again for as long as one request may take."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([topic])
    finally:
        await admin.close()


async def test_every_worker_serves_metrics_readiness_and_health(
    broker, topic_prefix: str, tmp_path: Path
):
    settings = settings_for(broker.bootstrap, topic_prefix)
    await create_topics(settings)
    with ExitStack() as stack:
        workers = [
            stack.enter_context(StageProcess(stage, settings, tmp_path / stage)) for stage in STAGES
        ]
        for worker in workers:
            worker.wait_ready()
            stage = worker.stage
            assert worker.get("/readyz") == (200, f"{stage} is ready\n")
            assert worker.get("/healthz") == (200, f"{stage} is well, lag 0\n")
            status, text = worker.get("/metrics")
            assert status == 200
            assert "active_incidents_total 0.0" in text
            assert "opspilot_dead_letters_total" in text
        for worker in workers:
            worker.child.terminate()
        for worker in workers:
            assert worker.wait_for_end() == 0, worker.log[-2000:]
            assert "Traceback" not in worker.log


async def test_a_worker_that_is_stuck_is_unwell_but_not_one_whose_broker_is_away(
    own_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path
):
    settings = settings_for(own_broker.bootstrap, topic_prefix)
    await create_topics(settings)
    raw = settings.topics.name(LOGS_RAW)
    stalled = {
        "OPSPILOT_WORKER__STALLED_AFTER_MS": "400",
        "OPSPILOT_KAFKA__REQUEST_TIMEOUT_MS": "120000",
    }
    with StageProcess("ingest", settings, tmp_path / "ingest", stalled) as worker:
        worker.wait_ready()
        await accept_nothing(own_broker.bootstrap, settings.topics.name(LOGS_DIGESTS))
        await send(own_broker.bootstrap, raw, [(b"a", b"one line")])
        worker.until(lambda: worker.get("/healthz")[0] == 503, "complaint")
        assert "ingest has 1 records to do and did none for" in worker.get("/healthz")[1]
        assert worker.get("/readyz")[0] == 200
        own_broker.freeze()
        try:
            assert worker.get("/healthz")[0] == 200, "restarting it would not bring Kafka back"
        finally:
            own_broker.thaw()
        worker.child.kill()
