"""Runbooks by meaning, against a real HTTP server: what it finds, and how it fails."""

from collections.abc import Callable

import pytest
from fakes import acts
from fakes.embedding_server import FakeEmbeddingServer
from fakes.openai_server import OpenAiServer

from agents.judgement import Judgement, make_model_backend
from agents.llm.embeddings import EmbeddingServer
from agents.llm.errors import (
    ModelError,
    NotAllowedError,
    OverloadedError,
    ServerFaultError,
    TimedOutError,
    UnreachableError,
)
from agents.logic.plans.planning import build_plan
from agents.nearness import make_nearness
from agents.runbook_files import load_library
from schemas.classification import Classification, IncidentBrief, Judge
from schemas.finding import ShapeEvidence
from schemas.incident import LogAnalysis
from schemas.vocabulary import Category, IncidentStatus, Priority, Severity
from streams.judgesettings import JudgeSettings
from streams.modelsettings import ModelSettings

KEY = "embeddings-key"
FAN = "temperature-fan-alarm"
LINE = "blower stands still, package overheats"
ALIKE = [
    {"blower", "fan"},
    {"stands", "failed"},
    {"still", "failure"},
    {"overheats", "temperature"},
]
"""What the fake model knows: none of these pairs shares a stem."""


def incident_of(*lines: str) -> Classification:
    evidence = tuple(
        ShapeEvidence(shape_id=f"s{n}", shape=line, count=9, problem=0.9, examples=(line,))
        for n, line in enumerate(lines)
    )
    return Classification(
        incident_id="i", revision=1, category=Category.HARDWARE, subcategory="unknown",
        severity=Severity.HIGH, priority=Priority.P2, confidence=0.7, abstained=False,
        summary="s", judge=Judge(backend="baseline", model="ngrams"), evidence=evidence,
        incident=IncidentBrief(
            service="prod/rack/node", services=("prod/rack/node",), title="t",
            status=IncidentStatus.OPEN, opened_ms=1, count=9,
            analysis=LogAnalysis(summary="", severity=Severity.HIGH, evidence=evidence),
        ),
    )  # fmt: skip


def judgement(server: FakeEmbeddingServer, seconds: float = 5.0) -> Judgement:
    settings = JudgeSettings.model_validate(
        {"embeddings_url": server.url, "embeddings_timeout_seconds": seconds}
    )
    return Judgement(ModelSettings(), nearness=make_nearness(settings))


async def test_an_incident_without_a_shared_word_gets_the_runbook_it_means():
    async with FakeEmbeddingServer(ALIKE) as server:
        judging = judgement(server)
        plan = await judging.plan(incident_of(LINE), None)
        again = await judging.plan(incident_of(LINE), None)
        await judging.close()
    assert plan.sources[0].runbook == FAN
    assert plan.sources[0] != build_plan(incident_of(LINE), None, judging.library).sources[0]
    assert again == plan
    sizes = [len(asked.body["input"]) for asked in server.generations]
    assert sum(sizes[:-2]) == len(judging.library.specific) and sizes[-2:] == [1, 1]
    assert {asked.body["encoding_format"] for asked in server.generations} == {"float"}


async def test_one_hostile_line_among_true_ones_does_not_choose():
    hostile = "fan failure detected temperature fan alarm"
    true = ["tape arm missed slot", "picker jammed twice", "cartridge not seated"]
    async with FakeEmbeddingServer(ALIKE) as server:
        judging = judgement(server)
        plan = await judging.plan(incident_of(*true, LINE), None)
        by_words = build_plan(incident_of(*true, LINE), None, judging.library)
        told = await judging.plan(incident_of(*true, hostile), None)
        await judging.close()
    assert plan == by_words
    assert told == build_plan(incident_of(*true, hostile), None, load_library())


FAILURES: dict[str, tuple[Callable[[FakeEmbeddingServer], object], type[ModelError]]] = {
    "busy": (lambda server: server.script(acts.overloaded("2")), OverloadedError),
    "hangs": (lambda server: server.script(acts.hang()), TimedOutError),
    "trickles": (lambda server: server.script(acts.trickle(0.2)), TimedOutError),
    "drops": (lambda server: server.script(acts.cut_off()), UnreachableError),
    "fails": (lambda server: server.script(acts.error_page()), UnreachableError),
    "no json": (lambda server: server.script(acts.not_json()), ServerFaultError),
    "another form": (lambda server: server.script(acts.wrong_form()), ServerFaultError),
    "huge": (lambda server: server.script(acts.huge(5 << 20)), ServerFaultError),
    "too few": (lambda server: setattr(server, "leaves_out", 1), ServerFaultError),
    "none": (lambda server: setattr(server, "leaves_out", 2), ServerFaultError),
    "no numbers": (lambda server: setattr(server, "value", "fan"), ServerFaultError),
    "zeros": (lambda server: setattr(server, "value", 0.0), ServerFaultError),
    "too large": (lambda server: setattr(server, "value", 1e308), ServerFaultError),
    "a key": (lambda server: setattr(server, "api_key", "other"), NotAllowedError),
}


@pytest.mark.parametrize("how", FAILURES)
async def test_each_failure_is_one_of_the_tree_within_its_time(how: str):
    fail, kind = FAILURES[how]
    async with FakeEmbeddingServer(api_key=KEY) as server:
        client = EmbeddingServer(server.url, "m", KEY)
        assert (await client.embed(["fan", "two fans"], 5.0)).vectors.shape == (2, 512)
        fail(server)
        with pytest.raises(kind) as caught:
            await client.embed(["fan", "two fans"], 0.5)
        await client.close()
    assert KEY not in str(caught.value)
    if kind is NotAllowedError:
        assert "OPSPILOT_JUDGE__EMBEDDINGS_API_KEY" in str(caught.value)


@pytest.mark.parametrize("how", ["busy", "hangs", "too few", "zeros"])
async def test_whatever_fails_there_is_the_plan_of_words(how: str):
    async with FakeEmbeddingServer(ALIKE) as server:
        judging = judgement(server, seconds=0.5)
        FAILURES[how][0](server)
        plan = await judging.plan(incident_of(LINE), None)
        asked = len(server.generations)
        assert await judging.plan(incident_of(LINE), None) == plan
        assert len(server.generations) == asked, "it is left alone, or still at the runbooks"
        await judging.close()
    assert plan == build_plan(incident_of(LINE), None, judging.library)


async def test_a_server_that_changes_its_dimension_is_noticed():
    async with FakeEmbeddingServer(ALIKE) as server:
        judging = judgement(server)
        assert (await judging.plan(incident_of(LINE), None)).sources[0].runbook == FAN
        server.buckets = 7
        plan = await judging.plan(incident_of(LINE), None)
        await judging.close()
    assert plan == build_plan(incident_of(LINE), None, judging.library)


async def test_nothing_is_asked_for_an_incident_whose_words_fit():
    async with FakeEmbeddingServer(ALIKE) as server:
        judging = judgement(server)
        shown = incident_of("kernel: Fan failure detected on chassis 2")
        plan = await judging.plan(shown, None)
        await judging.close()
    assert plan == build_plan(shown, None, judging.library)
    assert plan.sources[0].runbook == FAN and server.generations == []


async def test_a_plan_of_a_model_rests_on_the_runbook_that_is_meant():
    async with FakeEmbeddingServer(ALIKE) as server, OpenAiServer() as writer:
        settings = JudgeSettings.model_validate({"embeddings_url": server.url})
        model = ModelSettings.model_validate({"backend": "openai", "url": writer.url})
        judging = Judgement(
            model, backend=make_model_backend(model, ()), nearness=make_nearness(settings)
        )
        await judging.plan(incident_of(LINE), None)
        await judging.close()
    asked = writer.generations[0]
    assert load_library().get(FAN).checks[0].text in str(asked.body["messages"])
