"""Every benchmark of this project, one after the other: `python -m bench [--lines FILE...]`."""

import argparse
import os
import platform
from collections.abc import Callable

from bench import costs, ingest, judging, miner
from bench.report import write_section


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description="Every benchmark of this project.")
    ingest.add_options(parser)
    judging.add_options(parser)
    parser.add_argument("--mined", type=int, default=100_000, help="lines for the miners")
    options = parser.parse_args()
    command = f"python -m bench --count {options.count} --sample {options.sample}"
    machine = (
        f"{platform.system()} on {platform.machine()}, {os.cpu_count()} CPUs, Python"
        f" {platform.python_version()}; load when it began: {os.getloadavg()[0]:.1f}."
    )
    sections: dict[str, Callable[[], list[str]]] = {
        "machine": lambda: [f"{machine} `{command}`."],
        "costs": lambda: costs.section(options.lines, 200_000, options.seed),
        "miner": lambda: miner.section(options.lines, options.mined, options.seed),
        "ingest": lambda: ingest.section(options),
        "judging": lambda: judging.section(options),
    }
    for name, measure in sections.items():
        found = measure()
        print("\n".join(found), flush=True)
        if not options.no_write:
            write_section(name, found)


if __name__ == "__main__":
    main()
