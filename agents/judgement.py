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
from agents.judges import answered, baseline_took, fell_back
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
        choice, spent_seconds = await self._choose(incident.id)
        verdict, baseline = self._by_baseline(incident, choice)
        if self._caller is None or choice.by_baseline:
            record = to_record(incident, verdict, baseline)
        else:
            record = await self._classify_with_model(
                self._caller, incident, verdict, baseline, choice, spent_seconds, backlog
            )
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
        baseline_took(RECOMMEND, started)
        return plan

    async def _closeness(
        self, classification: Classification, service_info: ServiceInfo | None
    ) -> Mapping[str, float]:
        """Return how near the incident is to each runbook in meaning, where that is asked."""
        if self._nearness is None:
            return {}
        query = runbook_query(classification, service_info)
        return await self._nearness.closeness(query, self.library)

    def _by_baseline(self, incident: Incident, choice: Choice) -> tuple[Verdict, Judge]:
        """Judge without a model: by the baseline that was released, else by the committed one."""
        classifier = choice.classifier or self.classifier
        started = perf_counter()
        verdict = judge_incident(incident, classifier)
        judge = Judge(
            backend=BASELINE,
            model=choice.model or classifier.name,
            adapter=choice.adapter if choice.classifier is not None else None,
            variant=choice.variant,
            latency_ms=baseline_took(CLASSIFY, started),
        )
        if choice.reason is not None and (self._caller is None or choice.by_baseline):
            judge = fell_back(CLASSIFY, judge, Outcome(None, choice.reason))
        return verdict, judge

    async def _classify_with_model(
        self,
        caller: Caller,
        incident: Incident,
        verdict: Verdict,
        baseline: Judge,
        choice: Choice,
        spent_seconds: float,
        backlog: int,
    ) -> Classification:
        if is_hostile(incident):
            judge = fell_back(CLASSIFY, baseline, NOT_TO_BE_ASKED)
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
            return to_record(incident, verdict, fell_back(CLASSIFY, baseline, outcome))
        combined = outcome.value
        judge = answered(caller, choice, outcome, self.templates["classify"])
        return to_record(incident, combined.verdict, judge, combined.suggested_actions)

    async def _plan_with_model(
        self,
        caller: Caller,
        classification: Classification,
        service_info: ServiceInfo | None,
        backlog: int,
    ) -> RemediationPlan:
        closeness = await self._closeness(classification, service_info)
        choice, spent_seconds = await self._choose(classification.incident_id)
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
            judge = answered(caller, choice, outcome, self.templates["plan"])
            return outcome.value.model_copy(update={"judge": judge})
        started = perf_counter()
        plan = build_plan(classification, service_info, self.library, closeness)
        latency_ms = baseline_took(RECOMMEND, started)
        judge = plan.judge.model_copy(update={"variant": choice.variant, "latency_ms": latency_ms})
        if outcome.reason is not None:
            self._doubt(choice, outcome.reason)
            judge = fell_back(RECOMMEND, judge, outcome)
        return plan.model_copy(update={"judge": judge})

    async def _choose(self, incident_id: str) -> tuple[Choice, float]:
        """Return who answers, and what the choice has cost of the question's time."""
        patience = min(MOST_PROBE_SECONDS, self._settings.call_timeout_seconds / 3)
        if self._caller is None or self._caller.is_open:
            patience = 0.0
        started = perf_counter()
        choice = await self._chooser.choose(incident_id, patience)
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
