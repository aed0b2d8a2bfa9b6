"""A dataset on disk: a JSON-lines file per split, and dataset.json that says what it is.

Comes in: examples. Goes out: files; examples read back. Promise: nothing is written that the
privacy scan or the leakage check refuses; dataset.json is written last, so that a folder with it is
whole; equal examples give equal bytes.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from streams.errors import InputError
from training.dataset.examples import Example, Split, file_name, read_examples, write_example
from training.dataset.leakage import check_leakage
from training.dataset.privacy import require_none, traces

CARD = "dataset.json"


def write_dataset(folder: Path, examples: Sequence[Example], facts: Mapping[str, Any]) -> str:
    """Write all files; returns the digest over the examples.

    `facts` go into dataset.json. Raises LeakageError, PrivacyError, or InputError for a folder that
    cannot be written.
    """
    check_leakage(examples)
    texts = {
        split: [write_example(example) for example in examples if example.split is split]
        for split in Split
    }
    require_none(t for split, lines in texts.items() for t in traces(lines, file_name(split)))
    digest = hashlib.sha256()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CARD).unlink(missing_ok=True)
        for split, lines in texts.items():
            content = "".join(f"{line}\n" for line in lines).encode()
            digest.update(content)
            (folder / file_name(split)).write_bytes(content)
        card = {"digest": digest.hexdigest(), **facts, "counts": counts_of(examples)}
        text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
        (folder / CARD).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror}") from None
    return digest.hexdigest()


def read_split(folder: Path, split: Split) -> list[Example]:
    """Read one split; raises InputError where it is missing or cannot be used."""
    file = folder / file_name(split)
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{file} cannot be read: make it by `opspilot dataset generate`") from None
    return read_examples(lines, str(file))


def read_dataset(folder: Path) -> list[Example]:
    """Read all splits that hold anything; raises InputError."""
    wanted = [split for split in Split if (folder / file_name(split)).exists()]
    if not wanted:
        raise InputError(f"{folder} holds no dataset: make one by `opspilot dataset generate`")
    held = [split for split in wanted if (folder / file_name(split)).stat().st_size]
    return [example for split in held for example in read_split(folder, split)]


def scan_dataset(folder: Path) -> None:
    """Raise PrivacyError or LeakageError if the files of a dataset hold what they must not."""
    files = [folder / file_name(split) for split in Split]
    found = (
        trace
        for file in files
        if file.exists()
        for trace in traces(file.read_text(encoding="utf-8").split("\n"), str(file))
    )
    require_none(found)
    check_leakage(read_dataset(folder))


def counts_of(examples: Sequence[Example]) -> dict[str, dict[str, int]]:
    """Return how many examples each split has, by category."""
    counts: dict[str, Counter[str]] = {split.value: Counter() for split in Split}
    for example in examples:
        counts[example.split.value][example.category.value] += 1
    return {split: dict(sorted(found.items())) for split, found in counts.items()}
