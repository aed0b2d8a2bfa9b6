"""Whose delay is measured."""

import pytest

from agents.delays import observe_delay
from schemas.vocabulary import FindingKind
from streams import metrics


def measured(stage: str) -> float:
    return next(
        (
            sample.value
            for family in metrics.END_TO_END_DELAY.collect()
            for sample in family.samples
            if sample.name.endswith("_count") and sample.labels["stage"] == stage
        ),
        0.0,
    )


@pytest.mark.parametrize(
    ("appended_ms", "kinds", "counts"),
    [
        (1, [FindingKind.BURST], True),
        (1, [FindingKind.BURST, FindingKind.SILENCE], True),
        (1, [FindingKind.SILENCE], False),
        (1, [FindingKind.SILENCE, FindingKind.DROP], False),
        (0, [FindingKind.REPORTED], False),
    ],
)
def test_what_waits_by_nature_is_left_out(appended_ms: int, kinds: list[FindingKind], counts: bool):
    before = measured("test")
    observe_delay("test", appended_ms, kinds)
    assert measured("test") == before + counts
