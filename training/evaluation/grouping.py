"""How well lines are grouped into templates: grouping and parsing accuracy.

Comes in: a folder with LogHub's `SYSTEM/SYSTEM_2k.log_structured.csv` files. Goes out: a table of
accuracies per system, beside drain3 with and without its example masks where drain3 is installed.
One configuration for all systems.
    python -m training.evaluation.grouping FOLDER
"""

import argparse
import csv
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agents.logic.templates import group
from streams.shape.shaper import Shaper

Parser = Callable[[list[str]], tuple[list[str], list[str]]]
"""Lines to (group of each line, template of each line)."""

DRAIN3_EXAMPLE_MASKS = [
    (r"((?<=[^A-Za-z0-9])|^)(([0-9a-f]{2,}:){3,}([0-9a-f]{2,}))((?=[^A-Za-z0-9])|$)", "ID"),
    (r"((?<=[^A-Za-z0-9])|^)(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})((?=[^A-Za-z0-9])|$)", "IP"),
    (r"((?<=[^A-Za-z0-9])|^)([0-9a-f]{6,} ?){3,}((?=[^A-Za-z0-9])|$)", "SEQ"),
    (r"((?<=[^A-Za-z0-9])|^)([0-9A-F]{4} ?){4,}((?=[^A-Za-z0-9])|$)", "SEQ"),
    (r"((?<=[^A-Za-z0-9])|^)(0x[a-f0-9A-F]+)((?=[^A-Za-z0-9])|$)", "HEX"),
    (r"((?<=[^A-Za-z0-9])|^)([\-\+]?\d+)((?=[^A-Za-z0-9])|$)", "NUM"),
    (r"(?<=executed cmd )(\".+?\")", "CMD"),
]
"""The masks of the example configuration that drain3 publishes."""


def grouping_accuracy(truth: Sequence[str], found: Sequence[str]) -> float:
    """Return the share of lines whose group holds exactly the lines of their true group.

    Source: Zhu et al., Tools and Benchmarks for Automated Log Parsing, ICSE-SEIP 2019.
    """
    _check(truth, found)
    members: dict[str, list[int]] = defaultdict(list)
    for index, label in enumerate(found):
        members[label].append(index)
    sizes = Counter(truth)
    right = 0
    for indices in members.values():
        labels = {truth[index] for index in indices}
        if len(labels) == 1 and sizes[labels.pop()] == len(indices):
            right += len(indices)
    return right / len(truth) if truth else 1.0


def parsing_accuracy(truth: Sequence[str], found: Sequence[str]) -> float:
    """Return the share of lines whose template equals the true one, by `comparable`.

    Source: Khan et al., Guidelines for Assessing the Accuracy of Log Message Template
    Identification Techniques, ICSE 2022.
    """
    _check(truth, found)
    right = sum(comparable(a) == comparable(b) for a, b in zip(truth, found, strict=True))
    return right / len(truth) if truth else 1.0


_NEIGHBOURS = re.compile(r"<\*>(?:[.:/,_\-@x#\s]*<\*>)+")
_AFFIXES = re.compile(r"[^\s,;=\[\](){}\"']*<\*>[^\s,;=\[\](){}\"']*")


def comparable(template: str) -> str:
    """Write a template as it is compared: a token that holds a value is a value; space is single.

    So `blk_<*>`, `/<*>:<*>` and `<*>` are the same: how much of a token is called constant is a
    matter of taste on which the published templates themselves disagree.
    """
    text = " ".join(template.split())
    text = _NEIGHBOURS.sub("<*>", text)
    return _AFFIXES.sub("<*>", text)


def _check(truth: Sequence[str], found: Sequence[str]) -> None:
    if len(truth) != len(found):
        raise ValueError(f"{len(truth)} true labels but {len(found)} found ones")


def parse_with_opspilot(lines: list[str]) -> tuple[list[str], list[str]]:
    """Shape each line and group the set of shapes."""
    shaper = Shaper()
    infos = [shaper.line(line.encode("utf-8", "surrogateescape")) for line in lines]
    grouping = group({info.shape_id: info.text for info in infos}.items())
    placed = [grouping[info.shape_id] for info in infos]
    return [template.template_id for template in placed], [template.text for template in placed]


def drain3_miner(*, masks: bool) -> Any:
    """Return drain3's miner in its default configuration, or with its example masks."""
    from drain3 import TemplateMiner
    from drain3.masking import MaskingInstruction
    from drain3.template_miner_config import TemplateMinerConfig

    config = TemplateMinerConfig()
    if masks:
        config.masking_instructions = [
            MaskingInstruction(pattern, name) for pattern, name in DRAIN3_EXAMPLE_MASKS
        ]
        config.drain_extra_delimiters = ["_"]
    return TemplateMiner(config=config)


def parse_with_drain3(lines: list[str], *, masks: bool) -> tuple[list[str], list[str]]:
    """Run drain3 over the lines in their order."""
    miner = drain3_miner(masks=masks)
    ids = [miner.add_log_message(line)["cluster_id"] for line in lines]
    texts = {cluster.cluster_id: cluster.get_template() for cluster in miner.drain.clusters}
    templates = [re.sub(r"<[A-Z]+>", "<*>", texts[cluster]) for cluster in ids]
    return [str(cluster) for cluster in ids], templates


def read_system(path: Path) -> tuple[list[str], list[str], list[str]]:
    """Read one LogHub table: contents, event ids, event templates."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    return (
        [row["Content"] for row in rows],
        [row["EventId"] for row in rows],
        [row["EventTemplate"] for row in rows],
    )


def evaluate(folder: Path, parsers: dict[str, Parser]) -> dict[str, dict[str, tuple[float, float]]]:
    """Return, per system and parser, (grouping accuracy, parsing accuracy)."""
    tables = sorted(folder.glob("*/*_structured.csv"))
    if not tables:
        raise FileNotFoundError(f"no */*_structured.csv below {folder}")
    result: dict[str, dict[str, tuple[float, float]]] = {}
    for path in tables:
        contents, events, templates = read_system(path)
        row = result[path.parent.name] = {}
        for name, parser in parsers.items():
            groups, texts = parser(contents)
            row[name] = (grouping_accuracy(events, groups), parsing_accuracy(templates, texts))
    return result


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description="Grouping and parsing accuracy on LogHub.")
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--alone", action="store_true", help="do not run drain3 beside it")
    chosen = arguments.parse_args()
    parsers: dict[str, Parser] = {"opspilot": parse_with_opspilot}
    if not chosen.alone:
        parsers["drain3"] = lambda lines: parse_with_drain3(lines, masks=False)
        parsers["drain3+masks"] = lambda lines: parse_with_drain3(lines, masks=True)
    result = evaluate(chosen.folder, parsers)
    print(f"{'system':12}" + "".join(f"{name + ' GA':>17}{'PA':>7}" for name in parsers))
    for system, row in result.items():
        print(f"{system:12}" + "".join(f"{row[n][0]:17.3f}{row[n][1]:7.3f}" for n in parsers))
    mean = {
        name: tuple(sum(row[name][i] for row in result.values()) / len(result) for i in (0, 1))
        for name in parsers
    }
    print(f"{'mean':12}" + "".join(f"{mean[n][0]:17.3f}{mean[n][1]:7.3f}" for n in parsers))


if __name__ == "__main__":
    main()
