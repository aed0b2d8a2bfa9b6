"""Which metrics a query names, and which there are.

Comes in: PromQL. Goes out: names of series. Covers what our rules and dashboards use.
"""

import re
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from streams import metrics

FOREIGN = {
    # Of Prometheus itself, of every Python process, and of servers that are not ours.
    "up",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "fluentbit_input_records_total",
    "fluentbit_output_dropped_records_total",
    "fluentbit_output_retries_total",
    "tgi_batch_current_size",
    "tgi_queue_size",
}
_LABELS = re.compile(r"\{[^}]*\}")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_STRINGS = re.compile(r'"[^"]*"')
_NAME = re.compile(r"(?<![\w:$.])([a-z_][a-z0-9_:]*)(?![\w:]*\s*\()", re.IGNORECASE)
_WORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "offset", "bool", "inf", "nan"}


def metrics_of(query: str) -> set[str]:
    """Return the series that `query` selects."""
    text = _STRINGS.sub("", query)
    text = _GROUPING.sub(" ", _LABELS.sub("", text))
    text = re.sub(r"\[[^\]]*\]", "", text)
    text = re.sub(r"\boffset\s+\w+", "", text)
    return {name for name in _NAME.findall(text) if name.lower() not in _WORDS}


@cache
def declared() -> frozenset[str]:
    """Return every series that streams/metrics.py makes, and the foreign ones."""
    names = set(FOREIGN)
    for value in vars(metrics).values():
        if isinstance(value, Counter):
            names.add(f"{value._name}_total")
        elif isinstance(value, Histogram):
            names |= {f"{value._name}_{part}" for part in ("bucket", "count", "sum")}
        elif isinstance(value, Gauge):
            names.add(value._name)
    return frozenset(names)
