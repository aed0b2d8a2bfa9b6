"""How a revision is judged and planned, with a model or without: for stages, evaluations, console.

Comes in: an Incident or a Classification. Goes out: a Classification or a RemediationPlan that says
who answered and, where it was not the model that was wanted, why. Promise: no Kafka in here; there
is always a record: whatever a model or its server does, the baseline answers instead.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

from agents.asking import classify_question, plan_question
from agents.llm.calls import Caller
from agents.llm.protocol import Backend
from agents.llm.question import Outcome
from agents.llm.reasons import FallbackReason
from agents.logic.answers.combining import set_aside
from agents.logic.answers.suspicion import is_hostile
from agents.logic.judging.classifier import Classifier, load_classifier
from agents.logic.judging.incidents import judge_incident
from agents.logic.judging.records import to_record
from agents.logic.judging.verdict import Verdict
from agents.logic.plans.choosing import choose_runbooks, runbook_query
from agents.logic.plans.planning import build_plan, describe_situation
from agents.logic.plans.retrieval import RunbookLibrary
from agents.logic.prompting.passages import offer_passages
from agents.logic.prompting.prompts import PromptTemplate
from agents.nearness import Nearness
from agents.prompt_files import load_prompts
from agents.releases import BASELINE, Choice
from agents.runbook_files import load_library
from schemas.classification import Classification, Judge
from schemas.incident import Incident
from schemas.remediation import RemediationPlan
from schemas.services import ServiceInfo
from streams import metrics
from streams.modelsettings import BackendName, ModelSettings

CLASSIFY, RECOMMEND = "classify", "recommend"
MOST_PROBE_SECONDS = 10.0
NOT_TO_BE_ASKED: Outcome[Any] = Outcome(None, FallbackReason.HOSTILE_EVIDENCE)
"""A model that does not read what was written for it cannot obey it."""


class Chooser(Protocol):
    """Says which adapter judges an incident: `Releases`, or a fixed choice."""

    async def choose(self, incident_id: str, patience_seconds: float = 0.0) -> Choice:
        """Return who judges; waits at most so long for a probe."""

    def doubt(self, choice: Choice) -> None:
        """Take note that the server refused a question to this choice."""


class FixedChoice:
    """The same choice for every incident: for evaluations, and where no releases are read."""

    def __init__(self, choice: Choice | None = None) -> None:
        self._choice = choice or Choice()

    async def choose(self, incident_id: str, patience_seconds: float = 0.0) -> Choice:  # noqa: ARG002
        """Return the choice."""
        return self._choice

    def doubt(self, choice: Choice) -> None:
        """Nothing to probe."""


class Judgement:
    """Judges and plans; one per process."""

    def __init__(
        self,
        model: ModelSettings,
        runbook_folders: tuple[Path, ...] = (),
        *,
        backend: Backend | None = None,
        chooser: Chooser | None = None,
        nearness: Nearness | None = None,
    ) -> None:
        """Make it; without a backend only the baseline answers; without `nearness`, by words."""
        self._settings = model
        self._runbook_folders = runbook_folders
        self._caller = Caller(backend, model) if backend is not None else None
        self._chooser = chooser or FixedChoice()
        self._nearness = nearness

    @cached_property
    def classifier(self) -> Classifier:
        """The baseline's classifier, loaded when first needed."""
        return load_classifier()

    @cached_property
    def library(self) -> RunbookLibrary:
        """The runbooks, read when first needed; raises RunbookError for one that is unusable."""
        return load_library(self._runbook_folders)

    @cached_property
    def templates(self) -> dict[str, PromptTemplate]:
        """The prompts, read when first needed; raises PromptFileError for one that is unusable."""
        return load_prompts()

    @property
    def asks_a_model(self) -> bool:
        """Tell whether a model server is configured."""
        return self._caller is not None

    def load_for(self, stage: str) -> None:
        """Read now what a stage needs, so that what is unusable stops its start."""
        _ = self.classifier if stage == CLASSIFY else self.library
        if self.asks_a_model:
            _ = self.templates

    async def close(self) -> None:
        """Let go of connections to the server."""
        if self._caller is not None:
            await self._caller.backend.close()
        if self._nearness is not None:
            await self._nearness.close()

    async def classify(self, incident: Incident, backlog: int = 0) -> Classification:
        """Judge one revision; `backlog` is how much waits behind it, for the order of turns."""
        started = perf_counter()
        verdict = judge_incident(incident, self.classifier)
        latency_ms = _baseline_took(CLASSIFY, started)
        judge = Judge(
            backend=BASELINE,
            model=f"baseline-{self.classifier.meta['events_sha256'][:12]}",
            latency_ms=latency_ms,
        )
        if self._caller is not None:
            record = await self._classify_with_model(
                self._caller, incident, verdict, judge, backlog
            )
        else:
            record = to_record(incident, verdict, judge)
        metrics.VERDICTS_BY_VARIANT.labels(
            record.judge.variant, record.judge.backend, str(record.abstained).lower()
        ).inc()
        return record

    async def plan(
        self,
        classification: Classification,
        service_info: ServiceInfo | None,
        backlog: int = 0,
    ) -> RemediationPlan:
        """Plan one judged revision; raises LookupError where the library lacks the category."""
        if self._caller is not None:
            return await self._plan_with_model(self._caller, classification, service_info, backlog)
        closeness = await self._closeness(classification, service_info)
        started = perf_counter()
        plan = build_plan(classification, service_info, self.library, closeness)
        _baseline_took(RECOMMEND, started)
        return plan

    async def _closeness(
        self, classification: Classification, service_info: ServiceInfo | None
    ) -> Mapping[str, float]:
        """Return how near the incident is to each runbook in meaning, where that is asked."""
        if self._nearness is None:
            return {}
        query = runbook_query(classification, service_info)
        return await self._nearness.closeness(query, self.library)

    async def _classify_with_model(
        self, caller: Caller, incident: Incident, verdict: Verdict, baseline: Judge, backlog: int
    ) -> Classification:
        choice, spent_seconds = await self._choose(caller, incident.id)
        baseline = baseline.model_copy(update={"variant": choice.variant})
        if choice.by_baseline:
            return to_record(incident, verdict, baseline)
        if is_hostile(incident):
            judge = _fell_back(CLASSIFY, baseline, NOT_TO_BE_ASKED)
            return to_record(incident, set_aside(verdict), judge)
        outcome = await caller.ask(
            classify_question(
                incident,
                verdict,
                self.templates,
                choice.adapter,
                max_prompt_tokens=lambda: caller.max_prompt_tokens,
                max_tokens=self._settings.max_classify_tokens,
            ),
            stage=CLASSIFY,
            service=incident.service,
            backlog=backlog,
            spent_seconds=spent_seconds,
        )
        if outcome.value is None:
            self._doubt(choice, outcome.reason)
            return to_record(incident, verdict, _fell_back(CLASSIFY, baseline, outcome))
        combined = outcome.value
        judge = _answered(caller, choice, outcome, self.templates["classify"])
        return to_record(incident, combined.verdict, judge, combined.suggested_actions)

    async def _plan_with_model(
        self,
        caller: Caller,
        classification: Classification,
        service_info: ServiceInfo | None,
        backlog: int,
    ) -> RemediationPlan:
        closeness = await self._closeness(classification, service_info)
        choice, spent_seconds = await self._choose(caller, classification.incident_id)
        outcome: Outcome[RemediationPlan] = Outcome(None, None)
        if not choice.by_baseline and is_hostile(classification):
            outcome = NOT_TO_BE_ASKED
        elif not choice.by_baseline:
            runbooks, _ = choose_runbooks(classification, service_info, self.library, closeness)
            situation = describe_situation(classification, service_info, runbooks[0])
            passages = offer_passages(runbooks, situation.platform)
            outcome = await caller.ask(
                plan_question(
                    classification,
                    service_info,
                    passages,
                    situation.facts,
                    self.templates,
                    choice.adapter,
                    max_prompt_tokens=lambda: caller.max_prompt_tokens,
                    max_tokens=self._settings.max_plan_tokens,
                ),
                stage=RECOMMEND,
                service=classification.incident.service,
                backlog=backlog,
                spent_seconds=spent_seconds,
            )
        if outcome.value is not None:
            judge = _answered(caller, choice, outcome, self.templates["plan"])
            return outcome.value.model_copy(update={"judge": judge})
        started = perf_counter()
        plan = build_plan(classification, service_info, self.library, closeness)
        latency_ms = _baseline_took(RECOMMEND, started)
        judge = plan.judge.model_copy(update={"variant": choice.variant, "latency_ms": latency_ms})
        if outcome.reason is not None:
            self._doubt(choice, outcome.reason)
            judge = _fell_back(RECOMMEND, judge, outcome)
        return plan.model_copy(update={"judge": judge})

    async def _choose(self, caller: Caller, incident_id: str) -> tuple[Choice, float]:
        """Return who answers, and what the choice has cost of the question's time."""
        patience = min(MOST_PROBE_SECONDS, self._settings.call_timeout_seconds / 3)
        started = perf_counter()
        choice = await self._chooser.choose(incident_id, 0.0 if caller.is_open else patience)
        return choice, perf_counter() - started

    def _doubt(self, choice: Choice, reason: FallbackReason | None) -> None:
        if choice.adapter is not None and reason is FallbackReason.REJECTED:
            self._chooser.doubt(choice)


def make_model_backend(model: ModelSettings, runbook_folders: tuple[Path, ...]) -> Backend | None:
    """Make the configured server's client; None, and no import, where there is no server."""
    if model.backend is BackendName.BASELINE:
        return None
    from agents.llm.backends import make_backend

    return make_backend(model, runbook_folders)


def _answered(
    caller: Caller, choice: Choice, outcome: Outcome[object], template: PromptTemplate
) -> Judge:
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


def _fell_back(stage: str, baseline: Judge, outcome: Outcome[Any]) -> Judge:
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


def _baseline_took(stage: str, started: float) -> float:
    """Measure one judgement of the baseline; returns milliseconds."""
    seconds = perf_counter() - started
    metrics.LLM_INFERENCE_LATENCY.labels(BASELINE, stage).observe(seconds)
    return round(seconds * 1000, 3)
