"""The runbooks that fit an incident best, found by words; by meaning where no words tell.

Comes in: runbooks, the words, category and products of an incident, perhaps how near it is to each
runbook. Goes out: ranked matches. Promise: deterministic; equal scores are ordered by id; a match
says how much of one of its symptoms the incident really shows, so that a weak one can be told.
Method: Okapi BM25 in the implementation of bm25s (Xing Han Lu, 2024), then an ordering by evidence.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import bm25s
import numpy as np

from agents.logic.plans.closeness import MOST, nearest
from agents.logic.plans.runbooks import Runbook
from schemas.vocabulary import Category

GOOD_COVERAGE = 0.6
"""From this share of a symptom's informative words on, the incident shows that symptom."""

FOREIGN_COVERAGE = 0.85
"""The same for a runbook of other categories than the incident's."""

PRODUCT_COVERAGE = 0.4
"""The same for a runbook of its category whose product the incident names."""

CONSIDERED = 5
"""Among so many of the best one is chosen."""

_CANDIDATES = 12
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[a-z]+")
_STOP = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be been but by can could did do does for from has have in into is it"
        " its no"
        " not of on or our so than that the their then there this to was were will with you your"
        " which"
        " while during info warn warning error fatal debug log message service",
    )
)
_SUFFIXES = ("ations", "ation", "ions", "ion", "ings", "ing", "edly", "ed", "es", "s")


@dataclass(frozen=True, slots=True)
class Query:
    """What is known of an incident, as far as finding a runbook needs it."""

    text: str
    category: Category
    subcategory: str = ""
    service: str = ""
    """The service's name, which often names the product."""
    preferred: frozenset[str] = frozenset()
    """Ids that the service's owner names."""
    lines: tuple[tuple[str, int], ...] = ()
    """The lines in `text` that count by how often they came: most of them choose."""


@dataclass(frozen=True, slots=True)
class Match:
    """A runbook, its score (higher is better) and the share of its best symptom that is shown."""

    runbook: Runbook
    score: float
    coverage: float
    has_category: bool
    has_product: bool
    is_near: bool = False
    """No words speak for any runbook, and in meaning this one stands out before all others."""

    @property
    def is_good(self) -> bool:
        """Whether the incident shows one of the runbook's symptoms."""
        if not self.has_category:
            return self.coverage >= FOREIGN_COVERAGE
        return self.coverage >= (PRODUCT_COVERAGE if self.has_product else GOOD_COVERAGE)


def tokens(text: str) -> list[str]:
    """Split text into lower-case stems; camel case counts as several words, numbers as none."""
    found = (match.group().lower() for match in _WORD.finditer(text))
    return [_stem(word) for word in found if len(word) > 1 and word not in _STOP]


def _stem(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            return word.removesuffix(suffix)
    return word


class RunbookLibrary:
    """All runbooks, indexed once; searching changes nothing."""

    def __init__(self, runbooks: Iterable[Runbook]) -> None:
        self._runbooks = tuple(sorted(runbooks, key=lambda runbook: runbook.id))
        by_id = Counter(runbook.id for runbook in self._runbooks)
        for name, count in by_id.items():
            if count > 1:
                raise ValueError(f"The runbook id {name} occurs {count} times; make it unique")
        if not self._runbooks:
            raise ValueError("The runbook library is empty; give at least one runbook")
        self._by_id: Mapping[str, Runbook] = {runbook.id: runbook for runbook in self._runbooks}
        self._specific = tuple(runbook for runbook in self._runbooks if not runbook.is_generic)
        self._symptoms = tuple(
            tuple(frozenset(tokens(symptom)) for symptom in runbook.symptoms)
            for runbook in self._specific
        )
        self._products = {
            product: frozenset(tokens(product))
            for runbook in self._specific
            for product in runbook.products
            if tokens(product)
        }
        documents = [_document(runbook) for runbook in self._specific]
        self._idf = _inverse_frequencies(documents)
        self._index = bm25s.BM25()
        if documents:
            self._index.index(documents, show_progress=False)

    @property
    def runbooks(self) -> tuple[Runbook, ...]:
        """All runbooks, ordered by id."""
        return self._runbooks

    @property
    def specific(self) -> tuple[Runbook, ...]:
        """Those that are searched: all but the generic ones, ordered by id."""
        return self._specific

    def get(self, runbook_id: str) -> Runbook | None:
        """Return the runbook of that id, if there is one."""
        return self._by_id.get(runbook_id)

    def generic(self, category: Category) -> Runbook | None:
        """Return the runbook for incidents of a category that fit no other."""
        return self._by_id.get(f"generic-{category.value.lower()}")

    def search(
        self, query: Query, limit: int = 3, closeness: Mapping[str, float] | None = None
    ) -> list[Match]:
        """Return the runbooks that fit best, best first.

        Without `closeness`, a closeness by runbook id, none where no word is shared. With it, where
        no words speak for a runbook, one that stands out in meaning goes before the others.
        """
        matches = self._by_words(query)
        if closeness and not any(_is_spoken_for(match, query) for match in matches[:CONSIDERED]):
            matches = self._by_meaning(matches, query, closeness)
        return matches[:limit]

    def fitting(self, query: Query, closeness: Mapping[str, float] | None = None) -> list[Match]:
        """Return those that may be followed, best first: of the incident's category, if any is."""
        matches = self.search(query, CONSIDERED, closeness)
        found = [match for match in matches if _is_spoken_for(match, query) or match.is_near]
        return [match for match in found if match.has_category] or found

    def _by_words(self, query: Query) -> list[Match]:
        words = list(dict.fromkeys(tokens(query.text)))
        if not words or not self._specific:
            return []
        scores = np.asarray(self._index.get_scores(words), dtype=float)
        top = float(scores.max())
        if top <= 0.0:
            return []
        order = sorted(range(len(scores)), key=lambda index: (-scores[index], index))
        shown = frozenset(words) | frozenset(tokens(query.service))
        chosen = [
            index
            for rank, index in enumerate(order)
            if rank < _CANDIDATES or self._specific[index].id in query.preferred
        ]
        matches = [self._match(index, float(scores[index]) / top, shown, query) for index in chosen]
        return sorted(matches, key=lambda match: (-match.score, match.runbook.id))

    def _by_meaning(
        self, matches: Sequence[Match], query: Query, closeness: Mapping[str, float]
    ) -> list[Match]:
        """Return the matches and as many of the nearest, ordered by both; what stands out leads.

        Closeness adds as much as the support of lines may, not by ranks as in reciprocal rank
        fusion: some runbook is always the first, and that it stands out is what has to be seen.
        It must be of the verdict's category too: that is the one witness that reads no vector.
        """
        known = {match.runbook.id: match for match in matches}
        shown = frozenset(tokens(query.text)) | frozenset(tokens(query.service))
        leader = nearest(closeness)
        by_nearness = sorted(
            range(len(self._specific)),
            key=lambda index: (-closeness.get(self._specific[index].id, 0.0), index),
        )
        for index in by_nearness[:_CANDIDATES]:
            runbook = self._specific[index]
            if runbook.id not in known:
                known[runbook.id] = self._match(index, 0.0, shown, query)
        found = [
            replace(
                match,
                score=round(match.score + max(0.0, closeness.get(name, 0.0)) / MOST, 6),
                is_near=name == leader and match.has_category,
            )
            for name, match in known.items()
        ]
        return sorted(found, key=lambda match: (not match.is_near, -match.score, match.runbook.id))

    def _match(self, index: int, share: float, shown: frozenset[str], query: Query) -> Match:
        runbook = self._specific[index]
        coverage = max(
            (self._coverage(symptom, shown) for symptom in self._symptoms[index]), default=0
        )
        score = share + (self._support(index, query.lines) if query.lines else coverage)
        if query.category in runbook.categories:
            score += 0.3 if query.category is runbook.categories[0] else 0.2
        if query.subcategory and query.subcategory in runbook.subcategories:
            score += 0.3
        named = self._products_in(shown)
        has_product = bool(named & set(runbook.products))
        if named:
            score += 0.3 if has_product else -0.3
        if runbook.id in query.preferred:
            score += 0.5
        has_category = query.category in runbook.categories
        return Match(runbook, round(score, 6), round(coverage, 6), has_category, has_product)

    def _support(self, index: int, lines: Sequence[tuple[str, int]]) -> float:
        """Return how much of a symptom the lines show on average, each by its own words.

        One line that shows a symptom in full does not outvote those that came more often.
        """
        shown = [(frozenset(tokens(text)), count) for text, count in lines]
        total = sum(count for _, count in shown)
        best = (
            (max((self._coverage(s, words) for s in self._symptoms[index]), default=0.0), count)
            for words, count in shown
        )
        return sum(coverage * count for coverage, count in best) / total

    def _products_in(self, shown: frozenset[str]) -> frozenset[str]:
        """Return the products that the incident names: those of other runbooks fit it less."""
        return frozenset(name for name, parts in self._products.items() if parts <= shown)

    def _coverage(self, symptom: frozenset[str], shown: frozenset[str]) -> float:
        """Return the share of a symptom's weight that is shown; a single word counts half."""
        weight = sum(self._idf.get(word, 0.0) for word in symptom)
        if weight <= 0.0:
            return 0.0
        found = sum(self._idf.get(word, 0.0) for word in symptom & shown)
        certainty = 0.5 if len(symptom) == 1 else 1.0
        return certainty * found / weight


def _is_spoken_for(match: Match, query: Query) -> bool:
    return match.is_good or match.runbook.id in query.preferred


def _document(runbook: Runbook) -> list[str]:
    parts: Sequence[str] = (
        runbook.title,
        *runbook.subcategories,
        *runbook.products,
        *runbook.symptoms,
        *(category.value for category in runbook.categories),
    )
    return [token for part in parts for token in tokens(part)] or ["none"]


def _inverse_frequencies(documents: Sequence[Sequence[str]]) -> dict[str, float]:
    counts = Counter(token for document in documents for token in set(document))
    return {
        token: math.log(1.0 + (len(documents) - count + 0.5) / (count + 0.5))
        for token, count in counts.items()
    }
