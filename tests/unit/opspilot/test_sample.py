"""The sample: large, the same each time, in order, with its faults where the table says."""

from collections import Counter
from itertools import pairwise

import pytest

from opspilot.logfiles import event_time_ms
from opspilot.sample.clock import LENGTH_MINUTES, START_MS, at_minute
from opspilot.sample.scenario import FAULTS, SERVICES, Fault, service_lines
from schemas.vocabulary import Category
from streams.shape.shaper import Shaper

APPEND_MS = START_MS + 400 * 86_400_000
MARKS = {
    "connection pool exhausted": "Connection is not available",
    "certificate expired": "certificate has expired",
    "disk media errors": "critical medium error",
    "passwords attacked": "account locked",
    "names not resolved": "lookup idp.partner.example",
    "out of memory": "Out of memory",
    "slow queries": "slow query",
    "bad release": "NullPointerException",
}


@pytest.fixture(scope="module")
def lines() -> dict[str, list[str]]:
    return {service: service_lines(service) for service in SERVICES}


def times(lines: list[str]) -> list[int | None]:
    shaper = Shaper()
    return [event_time_ms(shaper, line.encode(), APPEND_MS) for line in lines]


def test_it_is_as_large_as_promised(lines: dict[str, list[str]]) -> None:
    assert len(lines) == 5
    assert sum(map(len, lines.values())) >= 20_000
    assert min(map(len, lines.values())) >= 1_000


def test_the_same_seed_gives_the_same_lines(lines: dict[str, list[str]]) -> None:
    assert service_lines("auth") == lines["auth"]
    assert service_lines("auth", seed=8) != lines["auth"]


@pytest.mark.parametrize("service", SERVICES)
def test_lines_come_in_order_within_the_two_hours(
    service: str, lines: dict[str, list[str]]
) -> None:
    found = [time for time in times(lines[service]) if time is not None]
    assert found == sorted(found)
    # nginx writes whole seconds.
    assert at_minute(0) - 1_000 <= found[0]
    assert found[-1] < at_minute(LENGTH_MINUTES)
    assert len(found) > 0.8 * len(lines[service])


def test_there_are_eight_faults_over_all_categories_and_services() -> None:
    assert len(FAULTS) == 8
    assert {fault.category for fault in FAULTS} == set(Category)
    assert {fault.service for fault in FAULTS} == set(SERVICES)
    begins = sorted(fault.begin_ms for fault in FAULTS)
    assert min(b - a for a, b in pairwise(begins)) > 10 * 60_000


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_speaks_when_the_table_says(fault: Fault, lines: dict[str, list[str]]) -> None:
    mark = MARKS[fault.name]
    seen: list[int] = []
    latest: int | None = None
    own = lines[fault.service]
    for line, time in zip(own, times(own), strict=True):
        # A trace's inner line happens when its head does.
        latest = time if time is not None else latest
        if mark in line:
            assert latest is not None
            seen.append(latest)
    assert len(seen) >= 5
    assert fault.begin_ms - 1_000 <= min(seen) <= fault.begin_ms + 60_000
    assert max(seen) <= fault.end_ms + 1_000


def test_it_holds_what_must_not_leak(lines: dict[str, list[str]]) -> None:
    counts: Counter[str] = Counter()
    for listed in lines.values():
        for line in listed:
            counts["email"] += "@example." in line
            counts["token"] += "Bearer eyJ" in line
            counts["card"] += "4111 1111 1111 1111" in line
            counts["password"] += "password=" in line
    assert min(counts[kind] for kind in ("email", "token", "card", "password")) >= 1
