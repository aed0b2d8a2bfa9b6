"""Which events are for training, which for validation, which for the test.

Comes in: the labelled events, a number. Goes out: events by split. Promise: pure; a product's
events stand in one split; of near-equal wordings in two splits only the measured one stays; every
category has events in every split.
"""

from collections.abc import Mapping, Sequence

from schemas.vocabulary import Category
from streams.errors import InputError
from training.corpus import Event
from training.dataset.chance import Chance
from training.dataset.examples import Split
from training.dataset.leakage import Wordings, wording

_TEST_SHARE, _VALIDATION_SHARE = 0.25, 0.1
_ORDER = (Split.TEST, Split.VALIDATION, Split.TRAIN)


def split_events(events: Sequence[Event], seed: int) -> Mapping[Split, list[Event]]:
    """Return the events of each split; raises InputError where a category would lack any."""
    products = sorted({event.product for event in events})
    order = Chance("splits", seed).shuffled(products)
    tests = round(_TEST_SHARE * len(order))
    validations = round(_VALIDATION_SHARE * len(order))
    split_of = dict.fromkeys(order, Split.TRAIN)
    split_of.update(dict.fromkeys(order[:tests], Split.TEST))
    split_of.update(dict.fromkeys(order[tests : tests + validations], Split.VALIDATION))
    found: dict[Split, list[Event]] = {}
    known: Wordings[str] = Wordings()
    for split in _ORDER:
        mine = [event for event in events if split_of[event.product] is split]
        kept = [(event, words) for event in mine if (words := wording(event.line))]
        found[split] = [event for event, words in kept if known.same(words) is None]
        for event in found[split]:
            known.add(event.line, wording(event.line))
    for split, kept_events in found.items():
        missing = set(Category) - {event.category for event in kept_events}
        if missing:
            names = ", ".join(sorted(missing))
            raise InputError(f"with seed {seed} no {split} event is of {names}: use another seed")
    return found
