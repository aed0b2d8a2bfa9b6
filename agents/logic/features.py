"""Turns the words of a line into named features for the linear judge.

Comes in: words, a level, a service name. Goes out: feature names in four blocks (words and word
pairs, character n-grams inside words, thesaurus classes with level and service, class pairs).
Promise: the same names at training and at run time; a function of its input alone.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

from agents.logic.lexicon import classes_of
from agents.logic.words import words_of
from schemas.vocabulary import Level

BLOCKS = ("words", "characters", "classes", "pairs")
_PAIR_REACH_WORDS = 5
"""How far apart two words may stand for their classes to be taken together."""
_SHORTEST_WITH_NGRAMS = 5
_NGRAM_LENGTHS = (3, 4, 5)
_MAX_WORDS = 160

Features = tuple[list[str], list[str], list[str], list[str]]


def features_of(text: str, level: Level | None = None, service: str = "") -> Features:
    """Return the distinct features of a line, one sorted list for each of BLOCKS."""
    words = words_of(text)[:_MAX_WORDS]
    grams: set[str] = set()
    for word in set(words):
        grams.update(_ngrams(word))
    singles, pairs = _classes(words)
    singles.update(_context(level, service))
    spoken = {f"w:{word}" for word in words}
    spoken.update(f"b:{a} {b}" for a, b in pairwise(words))
    return sorted(spoken), sorted(grams), sorted(singles), sorted(pairs)


@lru_cache(maxsize=65_536)
def _ngrams(word: str) -> tuple[str, ...]:
    """Return the character n-grams of a word between boundary marks; none for a short word."""
    if len(word) < _SHORTEST_WITH_NGRAMS:
        return ()
    marked = f"^{word[:40]}$"
    return tuple(
        f"c:{marked[start : start + length]}"
        for length in _NGRAM_LENGTHS
        for start in range(len(marked) - length + 1)
    )


def _classes(words: Sequence[str]) -> tuple[set[str], set[str]]:
    """Return the thesaurus classes of the words, alone and by two from nearby words."""
    of_word = [classes_of(word) for word in words]
    singles = {f"k:{name}" for names in of_word for name in names}
    pairs: set[str] = set()
    for place, names in enumerate(of_word):
        if not names:
            continue
        for other in of_word[place + 1 : place + 1 + _PAIR_REACH_WORDS]:
            pairs.update(
                f"p:{a}+{b}" if a < b else f"p:{b}+{a}" for a in names for b in other if a != b
            )
    return singles, pairs


def _context(level: Level | None, service: str) -> Iterable[str]:
    """Return features of what stands around the text."""
    yield f"l:{level.value}" if level is not None else "l:none"
    for word in words_of(service):
        for name in classes_of(word):
            yield f"s:{name}"
