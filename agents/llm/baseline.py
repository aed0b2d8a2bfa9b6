"""The `baseline` backend: the project's own judge and runbooks, without any model server.

Comes in: a Request whose `subject` is an Incident or a Classification; its messages are not read,
so nothing in them can sway the answer. Goes out: a Reply in the form of the request's schema.
Promise: no network, no waiting, the same answer to the same subject.
"""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import msgspec

from agents.llm.conforming import conform
from agents.llm.errors import RejectedError
from agents.llm.protocol import Reply, Request, ServerInfo
from agents.llm.reading import estimate_tokens
from agents.logic.judging.classifier import Classifier
from agents.logic.judging.incidents import judge_incident
from agents.logic.plans.planning import build_plan
from agents.logic.plans.retrieval import RunbookLibrary
from schemas.classification import Classification
from schemas.incident import Incident


class BaselineBackend:
    """Judges incidents with the classifier and plans from runbooks."""

    name = "baseline"

    def __init__(
        self, classifier: Callable[[], Classifier], library: Callable[[], RunbookLibrary]
    ) -> None:
        """Both are loaded when first needed: one stage judges, another plans."""
        self._load_classifier = classifier
        self._load_library = library
        self._classifier: Classifier | None = None
        self._library: RunbookLibrary | None = None

    async def complete(self, request: Request) -> Reply:
        """Answer for the request's subject; RejectedError where it has none."""
        started = perf_counter()
        subject = request.subject
        if isinstance(subject, Incident):
            model, answer = self._model(), self._verdict(subject)
        elif isinstance(subject, Classification):
            model, answer = "runbooks", self._plan(subject)
        else:
            raise RejectedError(
                "the baseline answers for an incident or a classification, and the request has "
                "none as its subject; set OPSPILOT_MODEL__BACKEND to a model server"
            )
        content = conform(answer, request.schema)
        return Reply(
            content=content,
            text=msgspec.json.encode(content).decode(),
            model=model,
            adapter=None,
            prompt_tokens=0,
            completion_tokens=0,
            latency_ms=(perf_counter() - started) * 1000,
        )

    async def describe(self) -> ServerInfo:
        """Name the classifier; the baseline has no bounds and no adapters."""
        return ServerInfo(model=self._model())

    async def count_tokens(self, text: str) -> int:
        """Return an estimate: the baseline has no tokenizer."""
        return estimate_tokens(text)

    async def close(self) -> None:
        """Nothing is open."""

    def _judge(self) -> Classifier:
        if self._classifier is None:
            self._classifier = self._load_classifier()
        return self._classifier

    def _model(self) -> str:
        return self._judge().name

    def _verdict(self, incident: Incident) -> Mapping[str, Any]:
        verdict = judge_incident(incident, self._judge())
        return {
            "category": verdict.category.value,
            "severity": verdict.severity.value,
            "summary": verdict.summary,
            "suggestedActions": list(incident.analysis.suggested_actions),
        }

    def _plan(self, classification: Classification) -> Mapping[str, Any]:
        if self._library is None:
            self._library = self._load_library()
        plan = build_plan(classification, None, self._library)
        steps = [
            {
                "source": step.source.runbook if step.source else "",
                "description": step.description,
                "command": step.command.text if step.command else "",
                "verification": step.verification,
                "rollback": step.rollback,
                "risk": step.risk.value,
            }
            for step in plan.steps
        ]
        return {
            "steps": steps,
            "estimatedMinutes": round(plan.estimated_time.total_seconds() / 60),
            "risks": list(plan.risks),
            "successCriteria": list(plan.success_criteria),
            "rollbackPlan": plan.rollback_plan,
        }
