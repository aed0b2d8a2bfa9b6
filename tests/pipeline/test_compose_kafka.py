"""The broker of docker-compose.yml without an engine: its properties and command under real Kafka.

Only ports, the data folder and the scripts' names differ: a script of Kafka's is a Java class here.
"""

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "deploy"))

from composefile import ROOT, compose_file

from opspilot.local.ports import free_port
from opspilot.local.probe import answers
from opspilot.local.process import ChildProcess
from opspilot.local.runtime import KafkaRuntime
from streams.admin import create_topics
from streams.settings import KafkaSettings, Settings

pytestmark = pytest.mark.kafka

START_SECONDS = 120.0
CLASSES = {"kafka-storage.sh": "kafka.tools.StorageTool", "kafka-server-start.sh": "kafka.Kafka"}


def commands(script: str) -> list[list[str]]:
    """Return the commands of `a && exec b`."""
    return [shlex.split(part.strip().removeprefix("exec ")) for part in script.split("&&")]


async def test_the_broker_starts_twice_and_takes_the_topics(
    kafka_runtime: KafkaRuntime, tmp_path: Path
) -> None:
    service = compose_file()["services"]["kafka"]
    ports = {"9092": free_port(), "9093": free_port(), "19092": free_port()}

    def moved(text: str) -> str:
        text = re.sub(r"://(kafka|localhost)?:(\d+)", _here, text)
        return text.replace("1@localhost:9093", f"1@127.0.0.1:{ports['9093']}")

    def _here(found: re.Match[str]) -> str:
        return f"://127.0.0.1:{ports[found[2]]}"

    (mount,) = [v for v in service["volumes"] if v.endswith("/kafka.properties:ro")]
    source, target, _ = mount.split(":")
    text = moved((ROOT / source).read_text())
    assert "log.dirs=/var/lib/kafka/data/log" in text
    properties = tmp_path / "kafka.properties"
    properties.write_text(text.replace("/var/lib/kafka/data", str(tmp_path / "data")))

    made = []
    for program, *arguments in commands(service["command"][-1]):
        given = [moved(a.replace(target, str(properties))) for a in arguments]
        made.append(kafka_runtime.command(CLASSES[Path(program).name], given, heap_mib=256))
    formatting, running = made
    settings = Settings(kafka=KafkaSettings(bootstrap=f"127.0.0.1:{ports['9092']}"))
    for start in (1, 2):
        # The second time the folder is formatted already: that must be no error.
        done = subprocess.run(formatting, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        log = tmp_path / f"broker-{start}.log"
        broker = ChildProcess(running, log, {})
        try:
            overdue = time.monotonic() + START_SECONDS
            while not answers("127.0.0.1", ports["9092"], timeout_seconds=1.0):
                assert broker.exit_code() is None, log.read_text()[-3000:]
                assert time.monotonic() < overdue, log.read_text()[-3000:]
                time.sleep(0.2)
            created = await create_topics(settings)
            assert bool(created) is (start == 1)
        finally:
            broker.stop(30.0)
