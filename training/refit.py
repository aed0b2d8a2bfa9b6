"""Fits the baseline anew on this project's events and on what people corrected.

`python -m training.refit DATASET OUT` comes in: a dataset of `opspilot dataset build`. Goes out: a
folder with the artefact's two files, whole or not at all. Promise: only corrections of the training
split are learnt, each wording as a product of its own, so that a word which only one of them says
becomes no feature; the committed events stay in full, so nothing is unlearnt by being left out.
"""

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from agents.logic.judging.classifier import (
    ARRAYS,
    DESCRIPTION,
    load_classifier,
)
from schemas.finding import ShapeEvidence
from streams.errors import InputError
from training.child import tell, work_as_child
from training.corpus import Event, load_events
from training.dataset.corrections import is_correction
from training.dataset.examples import Example, Split
from training.dataset.folder import read_split

SOURCE = "feedback"
SPEAKS_FROM = 0.5
"""How much of a problem a line must report to stand for its incident's label."""


def events_of(examples: Sequence[Example]) -> list[Event]:
    """Return the corrected lines as events, none twice.

    An incident's label is that of its lines which report a problem; where none does, of the first.
    """
    found: dict[str, Event] = {}
    for example in examples:
        for shape in _speaking(example.incident.analysis.evidence):
            event = Event(
                product=example.family,
                category=example.category,
                severity=example.severity,
                subcategory="",
                line=shape.text,
                source=SOURCE,
            )
            found.setdefault(shape.text, event)
    return list(found.values())


def _speaking(evidence: Sequence[ShapeEvidence]) -> Iterator[ShapeEvidence]:
    speaking = [shape for shape in evidence if shape.problem >= SPEAKS_FROM]
    yield from speaking or evidence[:1]


def refit(dataset: Path, out: Path) -> None:
    """Fit and write: one to two minutes of one core.

    Raises InputError where there is nothing to learn, or scikit-learn is missing.
    """
    try:
        from training.baseline import fit_other
    except ImportError as error:
        raise InputError(
            f"fitting the baseline needs the extra `training` ({error}): run `pip install "
            "'opspilot[training]'`"
        ) from None
    examples = [one for one in read_split(dataset, Split.TRAIN) if is_correction(one)]
    corrections = events_of(examples)
    if not corrections:
        raise InputError(
            "no correction can be learnt: two people must name a label, or one whom the lines bear "
            "out; `opspilot dataset build` says how many words could not be used"
        )
    corrected = {event.line for event in corrections}
    events = [event for event in load_events() if event.line not in corrected]
    tell({"step": 1, "steps": 2, "loss": None, "validation_loss": None})
    arrays, description = fit_other([*events, *corrections])
    facts = {
        **json.loads(description),
        "corrections": len(corrections),
        "fitted_from": load_classifier().meta["events_sha256"],
    }
    draft = out.with_name(f".{out.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    (draft / ARRAYS).write_bytes(arrays)
    (draft / DESCRIPTION).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    draft.replace(out)


def read_fitted(folder: Path) -> tuple[bytes, str]:
    """Return a baseline's arrays and description; raises InputError where there is none."""
    try:
        description = (folder / DESCRIPTION).read_text(encoding="utf-8")
        return (folder / ARRAYS).read_bytes(), description
    except OSError as error:
        raise InputError(f"{folder} holds no baseline: {error}") from None


if __name__ == "__main__":
    sys.exit(work_as_child(lambda _: refit(Path(sys.argv[1]), Path(sys.argv[2]))))
