"""What a soak came to, as the page docs/soak.md."""

import os
from collections import Counter
from dataclasses import dataclass

from .memory import Growth

FULL_SECONDS, FULL_RATE = 600, 5_000


@dataclass(frozen=True)
class Soak:
    """The figures of one run."""

    seconds: float
    asked_rate: int
    records: int
    received: int
    late: int
    drained_seconds: float
    """From the last line until nothing lagged."""
    failures: int
    """Services that began to fail."""
    median_plan_seconds: float | None
    worst_plan_seconds: float | None
    calls: Counter[str]
    growth: list[Growth]
    warm_up_share: float
    day: str


def page(soak: Soak) -> str:
    """Return the figures as Markdown."""
    calls = ", ".join(f"{count} {outcome}" for outcome, count in soak.calls.most_common())
    delay = (
        "none was planned"
        if soak.median_plan_seconds is None
        else f"median {soak.median_plan_seconds:.1f} s, worst {soak.worst_plan_seconds:.1f} s"
    )
    lines = [
        "# Soak",
        "",
        "Written by `make soak`: one member per stage and Kafka on one machine with "
        f"{os.cpu_count()} cores, lines at",
        "live speed, and a fake text-generation-inference that fails a tenth of its generations.",
        "It fills schemas with arbitrary words, so many plans are refused (`bad-answer`) and",
        "the baseline's stand.",
        "",
        *_form(soak),
        "| what | measured |",
        "| --- | --- |",
        f"| lines a second: asked for, written | {soak.asked_rate}, "
        f"{soak.records / soak.seconds:.0f} |",
        f"| how long | {soak.seconds:.0f} s |",
        f"| records written, received | {soak.records}, {soak.received} |",
        f"| records that came late | {soak.late} |",
        f"| lag at the end | 0, {soak.drained_seconds:.1f} s after the last line |",
        f"| services that began to fail | {soak.failures}, each with incident and plan |",
        f"| first bad line to plan | {delay} |",
        f"| calls to the model server | {calls or 'none'} |",
        "",
        f"Resident memory of each process after the first {soak.warm_up_share:.0%} of the run:",
        "",
        "| process | then, MiB | at the end, MiB | most, MiB | slope, MiB an hour | starts |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {one.name} | {one.first_mib:.0f} | {one.last_mib:.0f} | {one.most_mib:.0f} | "
        f"{one.slope_mib_per_hour:+.1f} | {one.pids} |"
        for one in soak.growth
    ]
    return "\n".join([*lines, "", f"Run on {soak.day}."]) + "\n"


def _form(soak: Soak) -> list[str]:
    if soak.seconds >= FULL_SECONDS and soak.asked_rate >= FULL_RATE:
        return []
    return [
        f"**Short; the full form: {FULL_SECONDS} s at {FULL_RATE} lines a second.** Slopes here",
        "are those of processes that are still warming up, and say nothing of a leak.",
        "",
    ]
