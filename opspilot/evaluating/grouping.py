"""Measures how well lines are grouped into templates, beside drain3 where it is installed.

Comes in: a folder of LogHub's samples. Goes out: figures. Promise: one configuration for all.
"""

from importlib.util import find_spec
from pathlib import Path

from opspilot.evaluating.figures import Figures
from streams.errors import InputError
from training.evaluation.grouping import (
    Parser,
    evaluate,
    parse_with_drain3,
    parse_with_opspilot,
)


def grouping_figures(folder: Path) -> list[Figures]:
    """Parse every system of the folder; raises InputError where there is none."""
    parsers: dict[str, Parser] = {"opspilot": parse_with_opspilot}
    if find_spec("drain3") is not None:
        parsers["drain3"] = lambda lines: parse_with_drain3(lines, masks=False)
        parsers["drain3 with masks"] = lambda lines: parse_with_drain3(lines, masks=True)
    try:
        result = evaluate(folder, parsers)
    except FileNotFoundError:
        raise InputError(
            f"{folder} holds no SYSTEM/SYSTEM_2k.log_structured.csv: give a folder of LogHub's."
        ) from None
    rows = [
        (system, *(f"{row[name][0]:.3f} / {row[name][1]:.3f}" for name in parsers))
        for system, row in result.items()
    ]
    means = [
        tuple(sum(row[name][place] for row in result.values()) / len(result) for place in (0, 1))
        for name in parsers
    ]
    rows.append(("mean", *(f"{mean[0]:.3f} / {mean[1]:.3f}" for mean in means)))
    return [Figures("grouping / parsing accuracy", ("system", *parsers), tuple(rows))]
