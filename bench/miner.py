"""The miner against drain3, drain3 with its example masks, and logfold: same lines, same run.

Comes in: how many lines, and files of lines if not our own (`bench/lines.py`). Goes out: a table
of CPU and wall seconds, and the section `miner` of docs/benchmarks.md.
    python -m bench.miner --lines FILE... --count 200000
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from agents.logic.templates import group
from bench.lines import redrawn_lines
from bench.report import write_section
from streams.shape.shaper import DIGITS_TO_ZERO, ShapeInfo, Shaper
from training.evaluation.grouping import drain3_miner

BATCH_LINES = 5_000
Miner = Callable[[list[bytes]], int]


def mine_opspilot(lines: list[bytes]) -> int:
    """Shape the lines as ingest does, batch by batch, and group the shapes; return templates."""
    shaper = Shaper()
    shapes: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for start in range(0, len(lines), BATCH_LINES):
        joined = b"\n".join(lines[start : start + BATCH_LINES]).translate(DIGITS_TO_ZERO)
        for key, number in Counter(joined.split(b"\n")).items():
            info: ShapeInfo = shaper.info(key)
            shapes[info.shape_id] = info.text
            counts[info.shape_id] += number
    if sum(counts.values()) != len(lines):
        raise AssertionError("lines were lost")
    return len({template.template_id for template in group(shapes.items()).values()})


def mine_drain3(lines: list[bytes], *, masks: bool) -> int:
    """Give each line to drain3; return its number of clusters."""
    miner = drain3_miner(masks=masks)
    for line in lines:
        miner.add_log_message(line.decode("utf-8", "replace"))
    return len(miner.drain.clusters)


def mine_logfold(lines: list[bytes]) -> int:
    """Give logfold the lines in batches; return its number of templates."""
    from logfold import Miner as LogfoldMiner

    miner = LogfoldMiner()
    for start in range(0, len(lines), BATCH_LINES):
        batch = lines[start : start + BATCH_LINES]
        miner.add_many([line.decode("utf-8", "replace") for line in batch])
    return len(miner.result().templates)


def measure(miner: Miner, lines: list[bytes]) -> tuple[float, float, int]:
    """Return (CPU seconds, wall seconds, templates) of one run over `lines`."""
    wall, cpu = time.perf_counter(), time.process_time()
    templates = miner(lines)
    return time.process_time() - cpu, time.perf_counter() - wall, templates


def run(files: Sequence[Path], count: int, seed: int) -> list[tuple[str, float, float, int]]:
    """Measure every miner on the same lines; return (name, CPU s, wall s, templates) rows."""
    lines = [line for _, line in redrawn_lines(files, count, seed)]
    miners: dict[str, Miner] = {
        "OpsPilot": mine_opspilot,
        "logfold": mine_logfold,
        "drain3, no masks (its default)": lambda given: mine_drain3(given, masks=False),
        "drain3 with the masks of its example": lambda given: mine_drain3(given, masks=True),
    }
    return [(name, *measure(miner, lines)) for name, miner in miners.items()]


def table(rows: list[tuple[str, float, float, int]], count: int) -> str:
    """Write the rows as a Markdown table; the ratio is CPU time over that of the first row."""
    text = [
        f"| miner ({count:,} lines) | CPU s | wall s | CPU us per line | CPU ratio | templates |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, cpu, wall, templates in rows:
        text.append(
            f"| {name} | {cpu:.2f} | {wall:.2f} | {cpu / count * 1e6:.2f}"
            f" | {cpu / rows[0][1]:.1f} | {templates} |"
        )
    return "\n".join(text)


def section(files: Sequence[Path], count: int, seed: int) -> list[str]:
    """Measure and return the section of the report."""
    return [
        f"{count:,} lines, made as for ingest, given to each miner in one process each after the"
        " other; to shape and to group, without a broker. `python -m bench.miner`.",
        "",
        table(run(files, count, seed), count),
    ]


def main() -> None:
    """Print the table and write it down."""
    arguments = argparse.ArgumentParser(description="The miner against drain3 and logfold.")
    arguments.add_argument("--lines", type=Path, nargs="*", default=[], help="files of log lines")
    arguments.add_argument("--count", type=int, default=200_000)
    arguments.add_argument("--seed", type=int, default=1)
    chosen = arguments.parse_args()
    found = section(chosen.lines, chosen.count, chosen.seed)
    print("\n".join(found))
    write_section("miner", found)


if __name__ == "__main__":
    main()
