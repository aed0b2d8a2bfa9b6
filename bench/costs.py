"""What costs what per line inside ingest, without a broker: warm, in batches as it fetches them.

Comes in: how many lines, and files of lines if not our own. Goes out: the section `costs` of
docs/benchmarks.md. Each figure is the median over batches, so that a neighbour's noise and the
first sight of lines count little.
    python -m bench.costs --lines FILE...
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from bench.lines import records
from bench.report import write_section
from streams.ingest.batch import RawBatch, ReducerOptions
from streams.ingest.identity import Identities
from streams.ingest.lines import tidy
from streams.ingest.reader import EntryReader
from streams.ingest.redact import Redactor
from streams.ingest.reduce import Reducer
from streams.ingest.shapes import ShapeTable

BATCH_LINES = 20_000
END_MS = 1_795_380_000_000


def batches(files: Sequence[Path], count: int, seed: int) -> Iterator[RawBatch]:
    """Yield the batches of one partition."""
    made = records(files, count, END_MS, seed)
    for start in range(0, count, BATCH_LINES):
        keys, values = zip(*islice(made, BATCH_LINES), strict=True)
        end = start + len(keys)
        yield RawBatch(
            "raw", 0, start, end, list(range(start, end)), [END_MS] * len(keys), list(keys),
            list(values),
        )  # fmt: skip


def per_line(work: Callable[[RawBatch], object], made: Sequence[RawBatch]) -> tuple[float, float]:
    """Return CPU microseconds per line: of the first batch, and in the later half of all."""
    spent = []
    for batch in made:
        began = time.process_time()
        work(batch)
        spent.append((time.process_time() - began) / len(batch) * 1e6)
    return spent[0], statistics.median(spent[len(spent) // 2 :])


def section(files: Sequence[Path], count: int, seed: int) -> list[str]:
    """Measure and return the section of the report."""
    made = list(batches(files, count, seed))
    options = ReducerOptions()
    redactor = Redactor()
    reader = EntryReader(options, Identities(options, redactor))
    table = ShapeTable(options.cached_keys, redactor)

    def shape(batch: RawBatch) -> None:
        entries = reader.read(batch)
        table.read(tidy(entries.texts, options.max_line_bytes).joined)

    _, read = per_line(reader.read, made)
    _, shaped = per_line(shape, made)
    first, whole = per_line(Reducer(options).reduce, made)
    return [
        f"CPU microseconds per line in batches of {BATCH_LINES:,}, one process, no broker."
        " `python -m bench.costs`.",
        "",
        "| step | CPU us per line |",
        "| --- | ---: |",
        f"| read envelopes, times, identities | {read:.2f} |",
        f"| lines to keys, keys to shapes | {shaped - read:.2f} |",
        f"| slots, counts, latencies, examples, redaction, digests | {whole - shaped:.2f} |",
        f"| all of it, warm | {whole:.2f} |",
        f"| all of it, the very first batch (every shape is new) | {first:.2f} |",
        "",
        f"{table.hit_ratio:.2%} of the lines had a key whose shape was known.",
    ]


def main() -> None:
    """Print the table and write it down."""
    parser = argparse.ArgumentParser(description="What costs what per line inside ingest.")
    parser.add_argument("--lines", type=Path, nargs="*", default=[], help="files of log lines")
    parser.add_argument("--count", type=int, default=400_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    found = section(chosen.lines, chosen.count, chosen.seed)
    print("\n".join(found))
    write_section("costs", found)


if __name__ == "__main__":
    main()
