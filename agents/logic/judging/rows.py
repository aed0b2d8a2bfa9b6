"""Finds the rows of a vocabulary that a line has, fast: what a word brings is looked up once.

Comes in: a line, its level, its service. Goes out: row numbers in the four blocks of `features`.
Promise: exactly the known ones of `features_of`, sorted; caches are bounded and change nothing.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import partial
from itertools import pairwise
from typing import TypeVar

from agents.logic.judging.features import (
    MAX_WORDS,
    class_pairs,
    context,
    near,
    ngrams_of,
    single_classes,
)
from agents.logic.judging.words import words_of
from schemas.vocabulary import Level

_CACHED = 50_000

Key = TypeVar("Key", bound=Hashable)


class RowFinder:
    """Maps lines to the rows of one vocabulary."""

    def __init__(self, vocabulary: dict[str, int]) -> None:
        self._vocabulary = vocabulary
        # The same entries without their marks: no string is built for a word or a pair of words.
        self._words = {name[2:]: row for name, row in vocabulary.items() if name[0] == "w"}
        self._bigrams = {
            tuple(name[2:].split(" ")): row for name, row in vocabulary.items() if name[0] == "b"
        }
        self._of_word: dict[str, tuple[int, ...]] = {}
        self._of_pair: dict[tuple[str, str], tuple[int, ...]] = {}

    def rows(self, text: str, level: Level | None, service: str) -> tuple[list[int], ...]:
        """Return the sorted rows of each block."""
        words = words_of(text)[:MAX_WORDS]
        grams: set[int] = set()
        for word in set(words):
            grams.update(self._remember(self._of_word, word, partial(ngrams_of, word)))
        pairs: set[int] = set()
        for pair in near(words):
            pairs.update(self._remember(self._of_pair, pair, partial(class_pairs, *pair)))
        return (
            self._spoken(words),
            sorted(grams),
            sorted({*self._known(single_classes(words)), *self._known(context(level, service))}),
            sorted(pairs),
        )

    def _spoken(self, words: list[str]) -> list[int]:
        """Return the sorted rows of the words and of the pairs that follow each other."""
        rows = {*map(self._words.get, words), *map(self._bigrams.get, pairwise(words))}
        return sorted(row for row in rows if row is not None)

    def _known(self, names: Iterable[str]) -> Iterator[int]:
        """Yield the rows of those names that the vocabulary has."""
        get = self._vocabulary.get
        return (row for row in map(get, names) if row is not None)

    def _remember(
        self, cache: dict[Key, tuple[int, ...]], key: Key, make: Callable[[], Iterable[str]]
    ) -> tuple[int, ...]:
        """Return what is cached for a key, made on a miss; a full cache starts again."""
        found = cache.get(key)
        if found is None:
            if len(cache) >= _CACHED:
                cache.clear()
            found = cache[key] = tuple(self._known(make()))
        return found
