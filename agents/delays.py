"""How long after its lines a record went out.

Comes in: the append time of the latest line behind a record, the kinds of what was found. Goes out:
opspilot_end_to_end_delay_seconds. Promise: only what came to light just now is measured; what waits
by its nature is not: a condition that clears, a silence, a revision that had to settle first.
"""

from collections.abc import Iterable

from schemas.classification import Classification
from schemas.vocabulary import FindingKind
from streams import metrics
from streams.clock import now_ms

FIRST_REVISION = 1


def observe_delay(stage: str, appended_ms: int, kinds: Iterable[FindingKind]) -> None:
    """Observe the delay of one record that `stage` has just published.

    Without `appended_ms` no line is behind it: a person reported it.
    """
    if appended_ms and not all(kind.is_absence for kind in kinds):
        delay_seconds = max(0, now_ms() - appended_ms) / 1000
        metrics.END_TO_END_DELAY.labels(stage).observe(delay_seconds)


def observe_judged(stage: str, verdict: Classification) -> None:
    """Observe the delay of a verdict, or of what follows from one, if it is an incident's first."""
    if verdict.revision == FIRST_REVISION:
        brief = verdict.incident
        observe_delay(stage, brief.appended_ms, (one.kind for one in brief.analysis.anomalies))
