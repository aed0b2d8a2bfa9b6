"""Whether what is tested was in some form trained on.

Comes in: events on their way into splits, or finished examples. Goes out: events without such as
stand in another split already; leaks with both ids. Promise: pure; two texts are one if at least
four fifths of their words are the same, numbers and service names aside; the check looks at what
is in the examples, not at how they were made.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from agents.logic.judging.words import words_of
from streams.errors import InputError
from training.dataset.examples import Example, Split

SAME = 0.8
"""Least share of common words (Jaccard) from which on two texts are the same."""
_SHOWN = 5
_ORDER = (Split.CANARY, Split.TEST, Split.VALIDATION, Split.TRAIN)
"""Who keeps a text that stands in two splits: what is measured comes before what is learnt."""

Key = TypeVar("Key", bound=Hashable)


class LeakageError(InputError):
    """What is tested was trained on; the message names the examples."""


@dataclass(frozen=True, slots=True)
class Leak:
    """Two examples of different splits that share what they should not."""

    kept: str
    leaking: str
    what: str


class Wordings(Generic[Key]):
    """Texts by their words; finds the nearest of those it knows."""

    def __init__(self) -> None:
        self._words: list[tuple[Key, frozenset[str]]] = []
        self._by_word: dict[str, list[int]] = defaultdict(list)

    def add(self, key: Key, words: frozenset[str]) -> None:
        """Remember one text."""
        for word in words:
            self._by_word[word].append(len(self._words))
        self._words.append((key, words))

    def same(self, words: frozenset[str]) -> Key | None:
        """Return a text that is the same as these words; None where there is none."""
        # Two sets that share so much share a word among any few of the one: the rarest are sought.
        rare = sorted(words, key=lambda word: len(self._by_word.get(word, ())))
        sought = rare[: int(len(words) * (1 - SAME)) + 1]
        seen: set[int] = set()
        for place in (place for word in sought for place in self._by_word.get(word, ())):
            if place in seen:
                continue
            seen.add(place)
            key, other = self._words[place]
            if len(words & other) >= SAME * len(words | other):
                return key
        return None


def wording(text: str) -> frozenset[str]:
    """Return the words by which two texts are compared."""
    return frozenset(words_of(text))


def leaks(examples: Sequence[Example]) -> list[Leak]:
    """Return what stands in two splits: a family, a whole question, a line of the evidence."""
    found: list[Leak] = []
    families: dict[str, tuple[Split, str]] = {}
    for example in _in_order(examples):
        split, other = families.setdefault(example.family, (example.split, example.id))
        if split is not example.split:
            found.append(Leak(other, example.id, f"family {example.family}"))
    known: Wordings[str] = Wordings()
    for split in _ORDER:
        mine = [example for example in examples if example.split is split]
        for example in mine:
            for words in evidence_words(example):
                kept = known.same(words)
                if kept is not None:
                    found.append(Leak(kept, example.id, f"evidence {' '.join(sorted(words))[:80]}"))
                    break
        for example in mine:
            for words in evidence_words(example):
                known.add(example.id, words)
    return found


def without_leaks(examples: Sequence[Example]) -> list[Example]:
    """Return the examples without those that leak into what is measured."""
    leaking = {leak.leaking for leak in leaks(examples)}
    return [example for example in examples if example.id not in leaking]


def check_leakage(examples: Sequence[Example]) -> None:
    """Raise LeakageError if anything leaks, or an id stands twice."""
    found = [f"{leak.leaking} and {leak.kept} share {leak.what}" for leak in leaks(examples)]
    ids = [example.id for example in examples]
    if len(set(ids)) != len(ids):
        found.append(f"{len(ids) - len(set(ids))} ids stand twice")
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise LeakageError(f"the dataset leaks: {'; '.join(found[:_SHOWN])}{more}")


def evidence_words(example: Example) -> Iterable[frozenset[str]]:
    """Yield the words of each text of an example's evidence that has any."""
    for shape in example.incident.analysis.evidence:
        words = wording(shape.shape)
        if words:
            yield words


def _in_order(examples: Sequence[Example]) -> list[Example]:
    return sorted(examples, key=lambda example: _ORDER.index(example.split))
