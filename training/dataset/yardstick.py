"""The baseline that a candidate is measured beside: fitted without what is tested.

Comes in: the events of the training split. Goes out: a classifier, as two files in the dataset.
Promise: the committed baseline has learnt from all events, those of the test split too, so beside
it every candidate looks worse than it is; this one has not.
"""

from collections.abc import Sequence
from pathlib import Path

from agents.logic.judging.classifier import Classifier, read_weights
from streams.errors import InputError
from training.corpus import Event

ARRAYS, DESCRIPTION = "yardstick.npz", "yardstick.json"


def write_yardstick(folder: Path, events: Sequence[Event]) -> None:
    """Fit and write it: one to two minutes of one core. Needs scikit-learn; raises InputError."""
    try:
        from training.baseline import fit_other
    except ImportError as error:
        raise InputError(
            f"the yardstick needs the extra `training` ({error}): run `pip install "
            "'opspilot[training]'`, or leave it out by --no-yardstick"
        ) from None
    arrays, description = fit_other(events)
    (folder / ARRAYS).write_bytes(arrays)
    (folder / DESCRIPTION).write_text(description, encoding="utf-8")


def read_yardstick(folder: Path) -> Classifier | None:
    """Return the dataset's own baseline; None where it was made without."""
    try:
        arrays = (folder / ARRAYS).read_bytes()
        return Classifier(read_weights(arrays, (folder / DESCRIPTION).read_text(encoding="utf-8")))
    except OSError:
        return None
