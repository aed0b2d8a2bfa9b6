"""Builds lines, digests and progress for the tests of analysis."""

from collections.abc import Iterable, Sequence

from agents.logic.judging.classifier import TextScore
from agents.logic.pipeline import TOPIC, Line, raw_batch
from agents.logic.windows.analyzer import Analyzer
from agents.logic.windows.grading import Grader
from agents.logic.windows.state import AnalyzeRules
from schemas.digest import LogDigest, PartitionProgress, Progress
from schemas.envelope import iso_time
from schemas.vocabulary import Category, Level, Severity
from streams.ingest.batch import ReducerOptions
from streams.ingest.reduce import Reducer

START_MS = 1_780_000_000_000
SERVICE = "default/default/shop"
_REDUCER = Reducer(ReducerOptions())

SEVERE = "CRITICAL store is corrupt"
MEDIUM = "ERROR order could not be saved"
ROUTINE = "INFO order saved"


class Wordings:
    """Scores by the first word, so that a test says itself how bad its lines are."""

    def score(self, text: str, level: Level | None = None, service: str = "") -> TextScore:
        bad = " bad " in text or level in (Level.FATAL, Level.ERROR, Level.WARN)
        severity = Severity.CRITICAL if level is Level.FATAL else Severity.MEDIUM
        shares = {s: 1.0 if s is severity else 0.0 for s in Severity}
        categories = {c: 1.0 if c is Category.APPLICATION else 0.0 for c in Category}
        return TextScore(categories, 0.98 if bad else 0.01, "crash", shares)


def analyzer(**rules: int) -> Analyzer:
    return Analyzer(AnalyzeRules(**rules), Grader(Wordings()))  # type: ignore[arg-type]


def line(at_ms: int, text: str, instance: str = "") -> Line:
    return Line("shop", f"{iso_time(at_ms)} {text}", START_MS + 86_400_000, instance)


def digests(
    lines: Sequence[Line], from_offset: int = 0, *, partition: int = 0, of: int = 1
) -> list[LogDigest]:
    batch = raw_batch(lines, from_offset, partition=partition, raw_partitions=of)
    reduced = _REDUCER.reduce(batch)
    return sorted(reduced.digests, key=lambda d: (d.service, d.slot_ms))


def progress(
    *partitions: tuple[int, int, bool, bool], sent_ms: int = START_MS + 90_000_000, of: int = 1
) -> Progress:
    """Each partition as (offset, clock in ms, caught up, ended)."""
    return Progress(
        partitions=tuple(
            PartitionProgress(
                topic=TOPIC,
                partition=number,
                offset=offset,
                clock_ms=clock_ms,
                caught_up=caught_up,
                ended=ended,
            )
            for number, (offset, clock_ms, caught_up, ended) in enumerate(partitions)
        ),
        raw_partitions=of,
        sent_ms=sent_ms,
    )


def routine(seconds: Iterable[int]) -> list[Line]:
    return [line(START_MS + second * 1_000, ROUTINE) for second in seconds]
