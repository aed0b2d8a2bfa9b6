"""Every metric is set by somebody, and its labels come from closed sets."""

import re
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram

from streams import metrics

ROOT = Path(__file__).parents[3]
DECLARED = {
    name: value
    for name, value in vars(metrics).items()
    if isinstance(value, Counter | Gauge | Histogram)
}
# `service` alone is no closed set: agents/logic/incidents/board.py bounds it, and its length.
CLOSED = {
    "abstained", "adapter", "backend", "category", "fate", "flag", "kind", "method", "model",
    "outcome", "partition", "phase", "reason", "role", "route", "service", "severity", "stage",
    "state", "status", "topic", "variant", "verdict",
}  # fmt: skip


def used() -> set[str]:
    found: set[str] = set()
    for package in ("streams", "agents", "training", "opspilot"):
        for path in (ROOT / package).rglob("*.py"):
            found |= set(re.findall(r"\bmetrics\.([A-Z_]+)\b", path.read_text(encoding="utf-8")))
    return found


def test_every_metric_is_set_by_somebody():
    assert set(DECLARED) <= used()


@pytest.mark.parametrize("name", DECLARED)
def test_labels_are_of_closed_sets_and_there_is_a_word_on_its_meaning(name: str):
    metric = DECLARED[name]
    assert set(metric._labelnames) <= CLOSED
    assert metric._documentation.endswith(".")


def test_what_is_said_per_partition_is_forgotten_when_partitions_move():
    metrics.CONSUMER_LAG.labels("analyze", "t", "7").set(5)
    metrics.WINDOWS_OPEN.labels("7").set(5)
    metrics.forget_partitions()
    assert not metrics.CONSUMER_LAG._metrics
    assert not metrics.WINDOWS_OPEN._metrics
