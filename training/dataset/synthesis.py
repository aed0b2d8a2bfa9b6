"""Synthetic incidents: this project's labelled events as production would show them.

Comes in: events, a number, how many examples. Goes out: examples, as many of each category.
Promise: pure; the same events, prompt and number give the same examples; half of the services have
names that tell nothing; the severity is that of the worst line.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agents.logic.prompting.prompts import PromptTemplate
from agents.logic.windows.grading import Grader
from schemas.vocabulary import Category, Severity
from streams.shape.shaper import Shaper
from training.augment import views_of
from training.corpus import Event
from training.dataset.asking import Labels, try_example
from training.dataset.chance import Chance
from training.dataset.examples import Example, Split
from training.dataset.incidents import incident_of
from training.dataset.leakage import check_leakage, without_leaks
from training.dataset.naming import made_up_service
from training.dataset.splits import split_events
from training.dataset.varying import varied

_MOST_OTHERS = 3
_MOST_REPEATS = 12
_ITEMS = (4, 6, 12)
"""How much evidence the questions show: as a tight budget of tokens leaves, and as a wide one."""
_OF_PRODUCT = 0.5
_WITH_HEADER = 0.4
_WITH_ROUTINE = 0.35
_TRIES = 6


@dataclass(frozen=True, slots=True)
class Amounts:
    """How many examples per split; each is rounded down to a multiple of the six categories."""

    train: int = 900
    validation: int = 120
    test: int = 300

    def of(self, split: Split) -> int:
        """Return how many of each category a split gets."""
        wanted = {Split.TRAIN: self.train, Split.VALIDATION: self.validation}
        return wanted.get(split, self.test) // len(Category)


Told = Callable[[int], None]


def synthesise(
    events: Sequence[Event],
    template: PromptTemplate,
    grader: Grader,
    seed: int,
    amounts: Amounts,
    told: Told | None = None,
) -> list[Example]:
    """Return a balanced dataset; `told` hears of each example made.

    Raises InputError where the events do not suffice, LeakageError should anything leak.
    """
    splits = split_events(events, seed)
    made: list[Example] = []
    for split in (Split.TEST, Split.VALIDATION, Split.TRAIN):
        made += make_split(split, splits[split], template, grader, seed, amounts.of(split), told)
    kept = without_leaks(made)
    check_leakage(kept)
    return _balanced(kept)


def make_split(
    split: Split,
    events: Sequence[Event],
    template: PromptTemplate,
    grader: Grader,
    seed: int,
    per_category: int,
    told: Told | None = None,
) -> list[Example]:
    """Return `per_category` examples of each category, as even over products as it goes."""
    by_product = _by_product(events)
    examples: dict[str, Example] = {}
    for category in Category:
        chance = Chance("synthesis", seed, split.value, category.value)
        order = _round_robin([e for e in events if e.category is category], chance)
        made = tried = 0
        while order and made < per_category and tried < _TRIES * per_category:
            event = order[tried % len(order)]
            tried += 1
            maker = Chance("example", seed, split.value, event.line, tried)
            example = _example(event, by_product[event.product], maker, template, grader, split)
            if example is None or example.id in examples:
                continue
            examples[example.id] = example
            made += 1
            if told is not None:
                told(len(examples))
    return list(examples.values())


def lines_of(
    event: Event, others: Sequence[Event], chance: Chance
) -> tuple[list[str], list[Event]]:
    """Return the lines of an incident that `event` leads, and the events that are in it."""
    worse_not = [o for o in others if _goes_with(o, event)]
    chosen = [event, *chance.shuffled(worse_not)[: chance.number(0, _MOST_OTHERS)]]
    routine = [o for o in others if o.category is None]
    if routine and chance.share() < _WITH_ROUTINE:
        chosen.append(chance.choose(routine))
    shaper = Shaper()
    lines: list[str] = []
    for one in dict.fromkeys(chosen):
        text = one.line
        if one.category is not None and chance.share() < _WITH_HEADER:
            text = views_of(one, shaper.line(one.line.encode()))[-1].text
            text = one.line if one.line not in text else text
        repeats = 1 if chance.share() < 0.4 else chance.number(2, _MOST_REPEATS)
        lines += [text if n == 0 else varied(text, chance) for n in range(repeats)]
    return lines, chosen


def service_of(event: Event, chance: Chance) -> str:
    """Return a service's name: the product's half of the time, else one that says nothing."""
    return made_up_service(chance, event.product if chance.share() < _OF_PRODUCT else None)


def _example(
    event: Event,
    others: Sequence[Event],
    chance: Chance,
    template: PromptTemplate,
    grader: Grader,
    split: Split,
) -> Example | None:
    assert event.category is not None
    assert event.severity is not None
    lines, _ = lines_of(event, others, chance)
    try:
        incident = incident_of(service_of(event, chance), lines, grader)
    except ValueError:
        return None
    labels = Labels(event.category, event.severity, event.subcategory, event.line)
    return try_example(
        incident,
        labels,
        template,
        split=split,
        family=event.product,
        items=chance.choose(_ITEMS),
    )


def _goes_with(other: Event, event: Event) -> bool:
    """Tell whether an event may stand beside a leading one: of its category, and no worse."""
    if other is event or other.category is not event.category or other.severity is None:
        return False
    order = list(Severity)
    assert event.severity is not None
    return order.index(other.severity) >= order.index(event.severity)


def _by_product(events: Sequence[Event]) -> Mapping[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        found[event.product].append(event)
    return found


def _round_robin(events: Sequence[Event], chance: Chance) -> list[Event]:
    """Return the events so that products take turns: none drowns the others."""
    queues = [chance.shuffled(theirs) for theirs in _by_product(events).values()]
    queues = chance.shuffled(queues)
    deepest = max(map(len, queues), default=0)
    return [queue[turn] for turn in range(deepest) for queue in queues if turn < len(queue)]


def _balanced(examples: Sequence[Example]) -> list[Example]:
    """Return as many of each category per split as the scarcest has."""
    groups: dict[tuple[Split, Category], list[Example]] = defaultdict(list)
    for example in examples:
        groups[example.split, example.category].append(example)
    kept: list[Example] = []
    for split in dict.fromkeys(example.split for example in examples):
        least = min(len(groups[split, category]) for category in Category)
        for turn in range(least):
            kept += [groups[split, category][turn] for category in Category]
    return kept
