"""Turns the words of a line into named features for the linear judge.

Comes in: words, a level, a service name. Goes out: feature names in four blocks (words and word
pairs, character n-grams inside words, thesaurus classes with level and service, class pairs).
Promise: the same names at training and at run time; a function of its input alone.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from agents.logic.judging.lexicon import classes_of
from agents.logic.judging.words import words_of
from schemas.vocabulary import Level

BLOCKS = ("words", "characters", "classes", "pairs")
MAX_WORDS = 160
PAIR_REACH_WORDS = 5
"""How far apart two words may stand for their classes to be taken together."""
_SHORTEST_WITH_NGRAMS = 5
_NGRAM_LENGTHS = (3, 4, 5)
_LONGEST_WORD = 40

Features = tuple[list[str], list[str], list[str], list[str]]


def features_of(text: str, level: Level | None = None, service: str = "") -> Features:
    """Return the distinct features of a line, one sorted list for each of BLOCKS."""
    words = words_of(text)[:MAX_WORDS]
    grams = {gram for word in words for gram in ngrams_of(word)}
    pairs = {pair for a, b in near(words) for pair in class_pairs(a, b)}
    return (
        sorted(set(spoken(words))),
        sorted(grams),
        sorted({*single_classes(words), *context(level, service)}),
        sorted(pairs),
    )


def spoken(words: Sequence[str]) -> Iterator[str]:
    """Yield the words and the pairs of words that follow each other, with repetitions."""
    for word in words:
        yield f"w:{word}"
    for first, second in pairwise(words):
        yield f"b:{first} {second}"


def ngrams_of(word: str) -> Iterator[str]:
    """Yield the character n-grams of a word between boundary marks; none for a short word."""
    if len(word) < _SHORTEST_WITH_NGRAMS:
        return
    marked = f"^{word[:_LONGEST_WORD]}$"
    for length in _NGRAM_LENGTHS:
        for start in range(len(marked) - length + 1):
            yield f"c:{marked[start : start + length]}"


def single_classes(words: Sequence[str]) -> Iterator[str]:
    """Yield the thesaurus classes of the words, with repetitions."""
    for word in words:
        for name in classes_of(word):
            yield f"k:{name}"


def near(words: Sequence[str]) -> set[tuple[str, str]]:
    """Return the distinct pairs of words with classes that stand within reach of each other."""
    found: set[tuple[str, str]] = set()
    recent: list[tuple[int, str]] = []
    for place, word in enumerate(words):
        if classes_of(word):
            found.update((other, word) for since, other in recent if since >= place)
            recent = [*recent[1 - PAIR_REACH_WORDS :], (place + PAIR_REACH_WORDS, word)]
    return found


def class_pairs(first: str, second: str) -> Iterator[str]:
    """Yield the pairs of different classes of two words; their order does not matter."""
    for a in classes_of(first):
        for b in classes_of(second):
            if a != b:
                yield f"p:{a}+{b}" if a < b else f"p:{b}+{a}"


def context(level: Level | None, service: str) -> Iterator[str]:
    """Yield features of what stands around the text."""
    yield f"l:{level.value}" if level is not None else "l:none"
    for word in words_of(service):
        for name in classes_of(word):
            yield f"s:{name}"
