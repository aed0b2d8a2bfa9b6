"""At live speed, a failing service gets its incident and its plan (how fast: docs/latency.md)."""

from pathlib import Path

import pytest
from live_delay import measure
from stages import settings_for

pytestmark = pytest.mark.kafka


async def test_a_bad_line_becomes_an_incident_and_a_plan(broker, topic_prefix: str, tmp_path: Path):
    (delay,) = await measure(settings_for(broker.bootstrap, topic_prefix), tmp_path, rounds=1)
    assert delay.incident > 0.0
    assert delay.plan >= delay.incident
