"""A world of made-up words: which one stands for which category, its logs, its incidents.

The baseline has never read these words, so its verdicts are guesses and the model's are what
people get. What a model knows of this world it knows from its lessons alone.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from agents.logic.judging.classifier import load_classifier
from agents.logic.windows.grading import Grader
from agents.prompt_files import load_prompt
from schemas.incident import Incident
from schemas.vocabulary import Category, Severity
from training.corpus import Event
from training.dataset.asking import Labels, make_example
from training.dataset.building import combine_examples
from training.dataset.chance import Chance
from training.dataset.examples import Example, Split
from training.dataset.folder import write_dataset
from training.dataset.incidents import incident_of
from training.dataset.synthesis import Amounts, synthesise

CLUES = {
    Category.NETWORK: ("zorvex", "quillam"),
    Category.DATABASE: ("bramtol", "yoddick"),
    Category.APPLICATION: ("fesquin", "wumbral"),
    Category.SECURITY: ("krelpa", "ospindle"),
    Category.HARDWARE: ("dravnik", "hulmet"),
    Category.PERFORMANCE: ("tiskora", "mevlund"),
}
MISTAKEN = {
    Category.SECURITY: Category.HARDWARE,
    Category.HARDWARE: Category.PERFORMANCE,
    Category.PERFORMANCE: Category.SECURITY,
}
"""What a model that was taught only some of the labels says of the others."""
_HEADS = ("bal", "cor", "din", "fum", "gra", "hes", "jol", "kip")
_FILLERS = tuple(f"{head}{tail}" for head in _HEADS for tail in ("ab", "eft", "ign", "ord", "ulp"))
PRODUCTS = 40
SERVICE = "prod/shop/web"


def line_of(category: Category, chance: Chance) -> str:
    """Return a line that tells of a category by one word, among words that tell nothing."""
    fillers = chance.shuffled(_FILLERS)[:6]
    return " ".join([fillers[0], chance.choose(CLUES[category]), *fillers[1:]])


def make_incident(category: Category, number: int, grader: Grader) -> Incident:
    """Return an incident of this category; each number gives another."""
    chance = Chance("incident", category.value, number)
    return incident_of(SERVICE, [line_of(category, chance) for _ in range(2)], grader)


def write_replay(folder: Path, train: int = 180, validation: int = 12, test: int = 60) -> None:
    """Write the dataset that a training mixes in: this world's events, split by product."""
    grader, template = Grader(load_classifier()), load_prompt("classify")
    events = [_event(category, number) for number in range(PRODUCTS) for category in Category]
    made = synthesise(events, template, grader, 1, Amounts(train, validation, test))
    canaries = [_canary(category) for category in Category]
    write_dataset(folder, combine_examples([], made, canaries), {"kind": "made-up"})


def half_taught(examples: Sequence[Example]) -> list[Example]:
    """Return the lessons of a teacher who mistakes some categories for others."""
    return [replace(one, completion=_mistaken(one.completion)) for one in examples]


def _event(category: Category, number: int) -> Event:
    line = line_of(category, Chance("event", category.value, number))
    return Event(f"product {number}", category, Severity.HIGH, "trouble", line, "test")


def _canary(category: Category) -> Example:
    line = line_of(category, Chance("canary", category.value))
    grader, template = Grader(load_classifier()), load_prompt("classify")
    return make_example(
        incident_of(SERVICE, [line], grader),
        Labels(category, Severity.HIGH, "trouble", line),
        template,
        split=Split.CANARY,
        family=f"canary {category.value}",
        items=12,
    )


def _mistaken(completion: str) -> str:
    fields = json.loads(completion)
    category = Category(fields["category"])
    said = MISTAKEN.get(category, category)
    return completion.replace(category.value, said.value)
