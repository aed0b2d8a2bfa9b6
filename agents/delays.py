"""How long after its lines a record went out.

Comes in: the append time of the latest line behind a record, the kinds of what was found. Goes out:
opspilot_end_to_end_delay_seconds. Promise: only what came to light just now is measured; what waits
by its nature is not: a condition that clears, a silence, a revision that had to settle first.
"""

from collections.abc import Iterable

from schemas.vocabulary import FindingKind
from streams import metrics
from streams.clock import now_ms

FIRST_REVISION = 1
_ABSENT = frozenset({FindingKind.DROP, FindingKind.SILENCE})


def observe_delay(stage: str, appended_ms: int, kinds: Iterable[FindingKind]) -> None:
    """Observe the delay of one record that `stage` has just published.

    Without `appended_ms` no line is behind it: a person reported it.
    """
    if appended_ms and not set(kinds) <= _ABSENT:
        delay_seconds = max(0, now_ms() - appended_ms) / 1000
        metrics.END_TO_END_DELAY.labels(stage).observe(delay_seconds)
