"""The baseline judge of one line: a linear model over features, with calibrated probabilities.

Comes in: a line (raw, redacted or masked), its level, the service that wrote it.
Goes out: category, subcategory and severity probabilities, and whether it tells of a problem.
Promise: numpy only, no work at import, the same answer for the same line and artefact.
"""

import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.logic.judging.features import BLOCKS
from agents.logic.judging.rows import RowFinder
from schemas.vocabulary import Category, Level, Severity
from streams.errors import ConfigurationError

ARRAYS, DESCRIPTION = "baseline.npz", "baseline.json"
"""The two files of an artefact."""
FORMAT = 1
"""Raised when an artefact of an earlier version can no longer be read."""

_PREFIX, _DIGITS = "baseline-", 12

Floats = npt.NDArray[np.float32]


class ArtefactError(ConfigurationError):
    """The committed model cannot be used; the message says why and how to make it again."""


@dataclass(frozen=True, slots=True)
class TextScore:
    """What the model thinks of one line; every map sums to 1, `problem` lies between 0 and 1."""

    category_probabilities: dict[Category, float]
    problem: float
    subcategory: str
    severity_probabilities: dict[Severity, float]

    @property
    def category(self) -> Category:
        """Return the most probable category."""
        return max(self.category_probabilities, key=self.category_probabilities.__getitem__)

    @property
    def mean_rank(self) -> float:
        """Return how bad the line is: 0 for low, 3 for critical."""
        return sum(grade.rank * share for grade, share in self.severity_probabilities.items())


@dataclass(frozen=True, slots=True)
class Weights:
    """The fitted model as arrays: rows are features, columns what HEADS of `meta` name."""

    vocabulary: dict[str, int]
    rarity: Floats
    matrix: Floats
    bias: Floats
    meta: dict[str, Any]


class Classifier:
    """Scores lines with one set of weights; its caches change no answer."""

    def __init__(self, weights: Weights) -> None:
        meta = weights.meta
        self.meta = meta
        self._rows = RowFinder(weights.vocabulary)
        self._rarity = weights.rarity
        self._block_weights = tuple(float(meta["block_weights"][name]) for name in BLOCKS)
        self._categories = [Category(name) for name in meta["categories"]]
        self._severities = [Severity(name) for name in meta["severities"]]
        self._temperatures: dict[str, float] = meta["temperatures"]
        main = len(self._categories) + 1 + len(self._severities)
        # Apart and contiguous: gathering rows is most of the cost of a line.
        self._main = np.ascontiguousarray(weights.matrix[:, :main])
        self._main_bias = weights.bias[:main]
        self._subcategories: dict[Category, _Subcategories] = {}
        for category in self._categories:
            columns = [
                (main + place, name)
                for place, (of, name) in enumerate(meta["subcategories"])
                if of == category
            ]
            places = [column for column, _ in columns]
            self._subcategories[category] = _Subcategories(
                tuple(name for _, name in columns),
                np.ascontiguousarray(weights.matrix[:, places]),
                weights.bias[places],
            )

    @property
    def name(self) -> str:
        """Return what records call it, by what it was fitted on; `is_baseline` knows it again."""
        return f"{_PREFIX}{self.meta['events_sha256'][:_DIGITS]}"

    def score(self, text: str, level: Level | None = None, service: str = "") -> TextScore:
        """Return the judgement of one line; `service` is a hint, its name is not looked up."""
        rows, values = self._features(text, level, service)
        logits = (values @ self._main[rows] + self._main_bias).tolist()
        count = len(self._categories)
        shares = _softmax(logits[:count], self._temperatures["category"])
        best = self._categories[shares.index(max(shares))]
        narrow = self._subcategories[best]
        within = values @ narrow.matrix[rows] + narrow.bias
        grades = _softmax(logits[count + 1 :], self._temperatures["severity"])
        problem = logits[count] / self._temperatures["problem"]
        return TextScore(
            category_probabilities=dict(zip(self._categories, shares, strict=True)),
            problem=1.0 / (1.0 + math.exp(-problem)),
            subcategory=narrow.names[int(within.argmax())],
            severity_probabilities=dict(zip(self._severities, grades, strict=True)),
        )

    def score_many(
        self,
        texts: Sequence[str],
        levels: Sequence[Level | None] | None = None,
        services: Sequence[str] | None = None,
    ) -> list[TextScore]:
        """Return the judgements of many lines, each the same as `score` gives.

        Finding the features is most of the work and goes line by line; equal lines are scored once.
        """
        given_levels = levels if levels is not None else [None] * len(texts)
        given_services = services if services is not None else [""] * len(texts)
        known: dict[tuple[str, Level | None, str], TextScore] = {}
        scores = []
        for key in zip(texts, given_levels, given_services, strict=True):
            found = known.get(key)
            if found is None:
                found = known[key] = self.score(*key)
            scores.append(found)
        return scores

    def _features(
        self, text: str, level: Level | None, service: str
    ) -> tuple[npt.NDArray[np.int64], Floats]:
        """Return the rows that the line has and their values, each block scaled to its weight."""
        rows: list[int] = []
        starts: list[int] = []
        weights: list[float] = []
        blocks = self._rows.rows(text, level, service)
        for block, weight in zip(blocks, self._block_weights, strict=True):
            if block:
                starts.append(len(rows))
                weights.append(weight)
                rows += block
        if not rows:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        index = np.array(rows, dtype=np.int64)
        rarity = self._rarity[index]
        lengths = np.sqrt(np.add.reduceat(rarity * rarity, starts))
        factors = np.repeat(np.array(weights, dtype=np.float32) / lengths, _gaps(starts, len(rows)))
        return index, (rarity * factors).astype(np.float32, copy=False)


@dataclass(frozen=True, slots=True)
class _Subcategories:
    """The columns of one category's subcategories."""

    names: tuple[str, ...]
    matrix: Floats
    bias: Floats


def is_baseline(model: str) -> bool:
    """Tell whether a record's model is a baseline."""
    digits = model.removeprefix(_PREFIX)
    return digits != model and len(digits) == _DIGITS and set(digits) <= set("0123456789abcdef")


def _gaps(starts: list[int], end: int) -> list[int]:
    """Return how many rows each block has."""
    return [after - start for start, after in zip(starts, [*starts[1:], end], strict=True)]


def _softmax(scores: list[float], temperature: float) -> list[float]:
    """Return the shares of scores; plain Python, since numpy is slower on six numbers."""
    top = max(scores)
    raised = [math.exp((score - top) / temperature) for score in scores]
    whole = sum(raised)
    return [share / whole for share in raised]


def read_weights(arrays: bytes, description: str) -> Weights:
    """Read the two artefact files; raises ArtefactError when they do not belong together."""
    meta = json.loads(description)
    if meta.get("format") != FORMAT:
        raise ArtefactError(
            f"baseline.json has format {meta.get('format')!r}, this version reads {FORMAT}: "
            "run `make baseline`"
        )
    with np.load(io.BytesIO(arrays), allow_pickle=False) as stored:
        names = stored["vocabulary"].tobytes().decode("utf-8").split("\n")
        matrix = stored["matrix"].astype(np.float32) * stored["scale"].astype(np.float32)
        rarity, bias = stored["rarity"].astype(np.float32), stored["bias"].astype(np.float32)
    if len(names) != matrix.shape[0] or len(names) != rarity.shape[0]:
        raise ArtefactError(
            f"baseline.npz names {len(names)} features but holds weights for {matrix.shape[0]}: "
            "run `make baseline`"
        )
    vocabulary = {name: row for row, name in enumerate(names)}
    return Weights(vocabulary, rarity, matrix, bias, meta)


@lru_cache(maxsize=1)
def load_classifier() -> Classifier:
    """Return the classifier of the committed artefact; read once per process, on first use."""
    folder = resources.files("agents") / "models"
    return Classifier(
        read_weights(
            (folder / ARRAYS).read_bytes(),
            (folder / DESCRIPTION).read_text(encoding="utf-8"),
        )
    )
