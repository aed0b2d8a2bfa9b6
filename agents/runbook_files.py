"""Reads runbooks from folders: those of this package, and those that a team adds.

Comes in: folders (pathlib paths or importlib.resources). Goes out: a library, indexed once.
Promise: a runbook that cannot be used stops the start with one sentence that says what to mend;
a runbook of a later folder replaces one of an earlier folder with the same id.
"""

from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable

from agents.logic.plans.retrieval import RunbookLibrary
from agents.logic.plans.runbooks import Runbook, RunbookError, parse_runbook


def load_library(extra_folders: Sequence[Traversable] = ()) -> RunbookLibrary:
    """Read the packaged runbooks, then each extra folder; raises RunbookError or OSError."""
    runbooks: dict[str, Runbook] = {}
    for folder in (files("agents") / "runbooks", *extra_folders):
        for file in sorted(folder.iterdir(), key=lambda item: item.name):
            if not file.name.endswith(".md") or file.name == "README.md":
                continue
            try:
                text = file.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                raise RunbookError(file.name, "all", "save the file as UTF-8") from None
            runbook = parse_runbook(text, file.name)
            runbooks[runbook.id] = runbook
    return RunbookLibrary(runbooks.values())
