"""What a member says of itself on /metrics, as numbers.

Comes in: a pipeline and a member's name. Goes out: the sum of a metric over its labels, or its
histogram; nothing where the member does not answer, because it may just be starting or ending.
"""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families

from .pipeline import Pipeline

ANSWER_SECONDS = 5.0

Sample = tuple[str, dict[str, str], float]


async def samples(pipeline: Pipeline, name: str) -> list[Sample]:
    """Return every sample of one member."""
    port = next((s.port for s in pipeline.supervisor.status() if s.name == name), None)
    if port is None:
        return []
    try:
        text = await asyncio.to_thread(_get, port)
    except (urllib.error.URLError, OSError):
        return []
    return [
        (sample.name, dict(sample.labels), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


async def total(pipeline: Pipeline, names: Iterable[str], metric: str, **labels: str) -> float:
    """Return the sum of a metric over members, and over the labels that are not named."""
    found = 0.0
    for name in list(names):
        for sample, its_labels, value in await samples(pipeline, name):
            if sample == metric and labels.items() <= its_labels.items():
                found += value
    return found


def _get(port: int) -> str:
    url = f"http://127.0.0.1:{port}/metrics"
    with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:
        return str(answer.read().decode())
