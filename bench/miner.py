"""The miner against drain3, drain3 with its example masks, and logfold: same lines, same run.

Comes in: a folder with LogHub's `SYSTEM/SYSTEM_2k.log` files. Goes out: a table of CPU and wall
seconds per million lines. The lines of all systems are shuffled, and digits and hexadecimal of
every copy are drawn anew, since repeated lines flatter whoever has a cache.
    python -m bench.miner FOLDER --lines 200000
"""

import argparse
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from agents.logic.templates import group
from streams.shape.shaper import DIGITS_TO_ZERO, ShapeInfo, Shaper
from training.evaluation.grouping import drain3_miner

BATCH_LINES = 5_000
_IDENTIFIER = re.compile(rb"\b(?=[0-9a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{6,}\b")
_DIGITS = re.compile(rb"[0-9]+")
Miner = Callable[[list[bytes]], int]


def rerandomise(line: bytes, source: random.Random) -> bytes:
    """Draw the digits of `line` anew, and the letters of its hexadecimal identifiers."""

    def number(found: re.Match[bytes]) -> bytes:
        return b"%0*d" % (len(found.group()), source.randrange(10 ** len(found.group())))

    def identifier(found: re.Match[bytes]) -> bytes:
        return (
            source.getrandbits(4 * len(found.group()))
            .to_bytes((len(found.group()) + 1) // 2, "big")
            .hex()
            .encode()[-len(found.group()) :]
        )

    return _IDENTIFIER.sub(identifier, _DIGITS.sub(number, line))


def make_lines(folder: Path, count: int, seed: int) -> list[bytes]:
    """Return `count` lines of all systems, shuffled, each with its values drawn anew."""
    source = random.Random(seed)
    paths = sorted(folder.glob("*/*_2k.log"))
    if not paths:
        raise SystemExit(f"No */*_2k.log below {folder}: give the folder that holds LogHub.")
    base = [line for path in paths for line in path.read_bytes().splitlines() if line.strip()]
    lines = [rerandomise(base[index % len(base)], source) for index in range(count)]
    source.shuffle(lines)
    return lines


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


def run(folder: Path, count: int, seed: int) -> list[tuple[str, float, float, int]]:
    """Measure every miner on the same lines; return (name, CPU s, wall s, templates) rows."""
    lines = make_lines(folder, count, seed)
    miners: dict[str, Miner] = {
        "opspilot": mine_opspilot,
        "logfold": mine_logfold,
        "drain3": lambda given: mine_drain3(given, masks=False),
        "drain3 with example masks": lambda given: mine_drain3(given, masks=True),
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


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description="The miner against drain3 and logfold.")
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--lines", type=int, default=200_000)
    arguments.add_argument("--seed", type=int, default=1)
    chosen = arguments.parse_args()
    print(table(run(chosen.folder, chosen.lines, chosen.seed), chosen.lines))


if __name__ == "__main__":
    main()
