"""The canary set as examples.

Comes in: `training/canary/incidents.yaml`. Goes out: an example per canary, in the file's order.
Promise: pure but for reading the package; a canary that cannot be asked is a fault, not left out.
"""

from importlib.resources import files
from typing import Any

import yaml

from agents.logic.prompting.prompts import PromptTemplate
from agents.logic.windows.grading import Grader
from schemas.vocabulary import Category, Severity
from streams.errors import InputError
from training.dataset.asking import Labels, make_example
from training.dataset.examples import Example, Split
from training.dataset.incidents import incident_of

FILE = "incidents.yaml"
_ITEMS = 12


def load_canaries(template: PromptTemplate, grader: Grader) -> list[Example]:
    """Return the project's own canaries; raises InputError."""
    text = (files("training.canary") / FILE).read_text(encoding="utf-8")
    return read_canaries(text, FILE, template, grader)


def read_canaries(text: str, name: str, template: PromptTemplate, grader: Grader) -> list[Example]:
    """Read groups of [id, severity, subcategory, service, lines]; raises InputError."""
    try:
        groups: Any = yaml.safe_load(text)
        rows = [(Category(g["category"]), row) for g in groups for row in g["incidents"]]
        return [_example(category, row, template, grader) for category, row in rows]
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(
            f"{name}: {why}; a group has `category` and `incidents`, each of them "
            "[id, severity, subcategory, service, [lines]]"
        ) from None


def _example(
    category: Category, row: list[Any], template: PromptTemplate, grader: Grader
) -> Example:
    name, severity, subcategory, service, lines = row
    return make_example(
        incident_of(str(service), [str(line) for line in lines], grader),
        Labels(category, Severity(severity), str(subcategory), str(lines[0])),
        template,
        split=Split.CANARY,
        family=f"canary {name}",
        items=_ITEMS,
    )
