"""Runs that nobody disturbed, made once for all tests that compare with them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from . import report
from .disturb import work_done
from .lines import raw_records
from .outcome import Outcome, read_outcome
from .pipeline import PARTITIONS, Pipeline


@dataclass(frozen=True)
class Reference:
    """A run that nobody disturbed, and how much work each stage had in it."""

    lines: int
    outcome: Outcome
    work: dict[str, int]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-report", action="store_true", help="Write the results into docs/faults.md."
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.getoption("--write-report", default=False):
        report.ROWS.unlink(missing_ok=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--write-report", default=False):
        report.main()


GetReference = Callable[[int], Awaitable[Reference]]


@pytest.fixture(scope="session")
def known_references() -> dict[int, Reference]:
    return {}


@pytest.fixture
def reference_of(known_references, broker, tmp_path_factory) -> GetReference:
    """Return a function that gives the reference for a number of lines."""

    async def get(lines: int) -> Reference:
        if lines not in known_references:
            directory = tmp_path_factory.mktemp(f"reference-{lines}")
            known_references[lines] = await undisturbed(broker.bootstrap, directory, lines)
        return known_references[lines]

    return get


async def undisturbed(bootstrap, directory, lines: int) -> Reference:
    async with Pipeline(bootstrap, f"reference-{lines}.", directory) as pipeline:
        written = await pipeline.write(raw_records(lines, PARTITIONS))
        await pipeline.start()
        await pipeline.wait_until_done()
        outcome = await read_outcome(pipeline.settings, written)
        reference = Reference(lines, outcome, await work_done(pipeline))
    assert not outcome.problems()
    assert outcome.dead_letters == outcome.unreadable == 0
    # A reference without incidents would prove nothing.
    assert len(outcome.incidents) >= 3, outcome.incidents
    assert set(outcome.verdicts) <= set(outcome.incidents)
    return reference
