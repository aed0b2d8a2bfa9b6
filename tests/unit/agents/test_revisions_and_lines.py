"""A model is asked once a revision: more lines of the same problem must make no more of them."""

import pytest

from agents.logic.judging.classifier import load_classifier
from agents.logic.pipeline import Line, run_lines
from agents.logic.windows.grading import Grader

START_MS = 1_772_356_335_000
SERVICE = "prod/shop/orders-db"
PROBLEM = (
    "2026-03-01T09:12:{s:02d}Z FATAL sorry, too many clients already, pid {n}",
    "2026-03-01T09:12:{s:02d}Z ERROR remaining connection slots are reserved, pid {n}",
)


def _lines(times: int) -> list[Line]:
    return [
        Line(SERVICE, text.format(s=15 + second, n=100 * second + copy), START_MS + 1000 * second)
        for second in range(40)
        for text in PROBLEM
        for copy in range(times)
    ]


@pytest.mark.parametrize("times", [2, 4, 8])
def test_doubling_the_lines_of_a_problem_makes_no_further_revision(times: int) -> None:
    grader = Grader(load_classifier())
    once, more = run_lines(_lines(1), grader), run_lines(_lines(times), grader)
    assert once.incidents and set(more.incidents) == set(once.incidents)
    for name, incident in once.incidents.items():
        assert more.incidents[name].revision == incident.revision
        assert more.incidents[name].count == times * incident.count
