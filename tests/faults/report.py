"""Keeps what the long runs came to, and writes it into docs/faults.md.

Comes in: one row per run, noted while the tests run. Goes out: the table between the marks of
docs/faults.md, by `python -m tests.faults.report` or `pytest --write-report` (`make faults`).
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .outcome import Outcome

ROOT = Path(__file__).resolve().parents[2]
ROWS = ROOT / "build" / "faults.jsonl"
PAGE = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


@dataclass
class Row:
    """One run; `outcome` is set by the test once it is known."""

    what: str
    stage: str
    lines: int
    seed: int
    outcome: Outcome | None = None


@contextmanager
def note(what: str, stage: str, lines: int, seed: int) -> Iterator[Row]:
    """Note one run, whether it holds or fails."""
    row = Row(what, stage, lines, seed)
    began = time.monotonic()
    passed = False
    try:
        yield row
        passed = True
    finally:
        _append(row, passed, time.monotonic() - began)


def _append(row: Row, passed: bool, seconds: float) -> None:
    outcome = row.outcome
    found = {
        "what": row.what,
        "stage": row.stage,
        "lines": row.lines,
        "seed": row.seed,
        "passed": passed,
        "seconds": round(seconds),
        "day": datetime.now(UTC).date().isoformat(),
        "received": outcome.balance.received if outcome else None,
        "repeated": outcome.repeated_digests if outcome else None,
        "incidents": len(outcome.incidents) if outcome else None,
    }
    ROWS.parent.mkdir(parents=True, exist_ok=True)
    with ROWS.open("a") as stream:
        stream.write(json.dumps(found) + "\n")


def table(rows: list[dict[str, object]]) -> str:
    """Return the rows as a table, the latest run of each kind."""
    latest = {(row["stage"], row["what"]): row for row in rows}
    lines = [
        "| stage | what was done | records received | digests made again | incidents | "
        "seed | result |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in latest.values():
        verdict = "equal to the undisturbed run" if row["passed"] else "FAILED"
        cells = [
            row["stage"], row["what"], row["received"], row["repeated"], row["incidents"],
            row["seed"], verdict,
        ]  # fmt: skip
        lines.append("| " + " | ".join("-" if c is None else str(c) for c in cells) + " |")
    days = sorted({str(row["day"]) for row in latest.values()})
    return "\n".join([*lines, "", f"Last run: {days[-1]}." if days else "Not yet run."])


def main() -> int:
    """Write the table into the page; exit status 1 when a row failed or none is there."""
    if not ROWS.exists():
        sys.stderr.write("no results: run `make faults` first\n")
        return 1
    rows = [json.loads(line) for line in ROWS.read_text().splitlines()]
    page = PAGE.read_text()
    head, _, rest = page.partition(BEGIN)
    _, _, foot = rest.partition(END)
    PAGE.write_text(f"{head}{BEGIN}\n{table(rows)}\n{END}{foot}")
    return 0 if all(row["passed"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
