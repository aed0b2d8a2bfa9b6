"""The baseline judge of one line: a linear model over features, with calibrated probabilities.

Comes in: a line (raw, redacted or masked), its level, the service that wrote it.
Goes out: category, subcategory and severity probabilities, and whether it tells of a problem.
Promise: numpy only, no work at import, the same answer for the same line and artefact.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.logic.features import BLOCKS, features_of
from schemas.vocabulary import Category, Level, Severity
from streams.errors import ConfigurationError

FORMAT = 1
"""Raised when an artefact of an earlier version can no longer be read."""

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


@dataclass(frozen=True, slots=True)
class Weights:
    """The fitted model as arrays: rows are features, columns what HEADS of `meta` name."""

    vocabulary: dict[str, int]
    rarity: Floats
    matrix: Floats
    bias: Floats
    meta: dict[str, Any]


class Classifier:
    """Scores lines with one set of weights; stateless after construction."""

    def __init__(self, weights: Weights) -> None:
        meta = weights.meta
        self.meta = meta
        self._weights = weights
        self._block_weights = tuple(float(meta["block_weights"][name]) for name in BLOCKS)
        self._categories = [Category(name) for name in meta["categories"]]
        self._severities = [Severity(name) for name in meta["severities"]]
        self._subcategories: list[tuple[Category, str]] = [
            (Category(category), name) for category, name in meta["subcategories"]
        ]
        ends = np.cumsum(
            [len(self._categories), 1, len(self._severities), len(self._subcategories)]
        )
        self._ends = [int(end) for end in ends]
        self._columns_of = {
            category: [i for i, (of, _) in enumerate(self._subcategories) if of is category]
            for category in self._categories
        }

    def score(self, text: str, level: Level | None = None, service: str = "") -> TextScore:
        """Return the judgement of one line; `service` is a hint, its name is not looked up."""
        return self._read(self._logits(text, level, service))

    def score_many(
        self,
        texts: Sequence[str],
        levels: Sequence[Level | None] | None = None,
        services: Sequence[str] | None = None,
    ) -> list[TextScore]:
        """Return the judgements of many lines, each the same as `score` gives."""
        given_levels = levels if levels is not None else [None] * len(texts)
        given_services = services if services is not None else [""] * len(texts)
        return [
            self.score(text, level, service)
            for text, level, service in zip(texts, given_levels, given_services, strict=True)
        ]

    def _logits(self, text: str, level: Level | None, service: str) -> Floats:
        """Return the raw scores, one per column of the matrix."""
        vocabulary, rarity = self._weights.vocabulary, self._weights.rarity
        rows: list[npt.NDArray[np.int64]] = []
        values: list[Floats] = []
        for block, weight in zip(
            features_of(text, level, service), self._block_weights, strict=True
        ):
            known = [row for row in map(vocabulary.get, block) if row is not None]
            if not known:
                continue
            index = np.array(known, dtype=np.int64)
            value = rarity[index]
            rows.append(index)
            values.append(value * np.float32(weight / float(np.sqrt(value @ value))))
        if not rows:
            return self._weights.bias
        logits: Floats = (
            np.concatenate(values) @ self._weights.matrix[np.concatenate(rows)] + self._weights.bias
        )
        return logits

    def _read(self, logits: Floats) -> TextScore:
        """Turn raw scores into calibrated probabilities."""
        categories, problem, severities, subcategories = np.split(logits, self._ends[:-1])
        temperatures = self.meta["temperatures"]
        shares = _softmax(categories / temperatures["category"])
        best = self._categories[int(np.argmax(shares))]
        columns = self._columns_of[best]
        chosen = columns[int(np.argmax(subcategories[columns]))]
        grades = _softmax(severities / temperatures["severity"])
        return TextScore(
            category_probabilities=dict(zip(self._categories, shares.tolist(), strict=True)),
            problem=float(1.0 / (1.0 + np.exp(-problem[0] / temperatures["problem"]))),
            subcategory=self._subcategories[chosen][1],
            severity_probabilities=dict(zip(self._severities, grades.tolist(), strict=True)),
        )


def _softmax(scores: Floats) -> npt.NDArray[np.float64]:
    raised = np.exp(scores.astype(np.float64) - float(scores.max()))
    shares: npt.NDArray[np.float64] = raised / raised.sum()
    return shares


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
            (folder / "baseline.npz").read_bytes(),
            (folder / "baseline.json").read_text(encoding="utf-8"),
        )
    )
