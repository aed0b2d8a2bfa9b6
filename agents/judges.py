"""How a record says who judged, and what that cost.

Comes in: who was asked, what came of it. Goes out: a Judge; metrics of fallbacks and of latency.
"""

from time import perf_counter
from typing import Any

from agents.llm.calls import Caller
from agents.llm.question import Outcome
from agents.logic.prompting.prompts import PromptTemplate
from agents.releases import BASELINE, Choice
from schemas.classification import Judge
from streams import metrics


def answered(
    caller: Caller, choice: Choice, outcome: Outcome[object], template: PromptTemplate
) -> Judge:
    """Say that a model answered."""
    return Judge(
        backend=caller.backend.name,
        model=outcome.model or "unknown",
        adapter=choice.adapter,
        variant=choice.variant,
        prompt_version=template.version,
        fallback_reason=choice.reason,
        latency_ms=round(outcome.latency_ms, 3),
        tokens=outcome.tokens,
    )


def fell_back(stage: str, baseline: Judge, outcome: Outcome[Any]) -> Judge:
    """Say that the baseline answered, why, and what was spent on trying otherwise."""
    why = outcome.reason
    assert why is not None, "an outcome without a value has a reason"
    metrics.LLM_FALLBACKS.labels(stage, why.value).inc()
    return baseline.model_copy(
        update={
            "fallback_reason": why.value,
            "latency_ms": round(baseline.latency_ms + outcome.latency_ms, 3),
            "tokens": outcome.tokens,
        }
    )


def baseline_took(stage: str, started: float) -> float:
    """Measure one judgement of the baseline; returns milliseconds."""
    seconds = perf_counter() - started
    metrics.LLM_INFERENCE_LATENCY.labels(BASELINE, stage).observe(seconds)
    return round(seconds * 1000, 3)
