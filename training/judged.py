"""What one judge said of one example, as the gate compares it.

Promise: plain values. `category` is the judge's own word; `served` is the verdict that people would
get: a model's word cross-checked with the baseline's; for the baseline both are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.vocabulary import Category, Severity
from training.evaluation.classification import Said


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer; without a category it could not be used, and the baseline served instead."""

    example: str
    category: Category | None
    severity: Severity | None
    served: Said
    is_json: bool = True
    """Whether the answer was one JSON object of the schema, whatever it said."""
    latency_ms: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Entrant:
    """One judge with all that it said of the test split and of the canary set, in their order."""

    name: str
    test: Sequence[Judged]
    canary: Sequence[Judged]
    is_baseline: bool = False
