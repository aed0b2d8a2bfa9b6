"""A baseline that was fitted anew judges only as the very content that its release names."""

import json
from collections.abc import Mapping
from importlib.resources import files

import pytest

from agents.baselines import Baselines, content_digest
from agents.judgement import Judgement
from agents.llm.reasons import FallbackReason
from agents.logic.judging.classifier import ARRAYS, DESCRIPTION, is_baseline, load_classifier
from agents.logic.windows.grading import Grader
from agents.releases import Releases
from agents.routing import variant_of
from schemas.incident import Incident
from schemas.learning import BaselineArtefact, ModelRelease, ModelRole
from streams import metrics
from streams.modelsettings import ModelSettings
from training.dataset.incidents import incident_of

FOLDER = files("agents") / "models"
COMMITTED = load_classifier().name


def artefact() -> BaselineArtefact:
    """Return the committed baseline under another name: `corrections` tells them apart."""
    arrays = (FOLDER / ARRAYS).read_bytes()
    facts = json.loads((FOLDER / DESCRIPTION).read_text(encoding="utf-8")) | {"corrections": 9}
    description = json.dumps(facts)
    digest = content_digest(arrays, description)
    return BaselineArtefact(
        name="triage-new", digest=digest, arrays=arrays, description=description, made_ms=1
    )


def release(role: ModelRole = ModelRole.CHAMPION, **more: object) -> ModelRelease:
    known = ModelRelease(
        role=role,
        backend="baseline",
        model=COMMITTED,
        adapter="triage-new",
        adapter_digest=artefact().digest,
        released_ms=1,
    )
    return known.model_copy(update=more)


class Topic:
    def __init__(self, **values: bytes) -> None:
        self.values: dict[bytes, bytes] = {key.encode(): value for key, value in values.items()}
        self.version = 1

    async def read(self) -> Mapping[bytes, bytes]:
        return self.values

    async def close(self) -> None:
        pass


def baselines(value: bytes | None = None) -> Baselines:
    return Baselines(Topic(**({} if value is None else {"triage-new": value})))


def judgement(*releases: ModelRelease, value: bytes | None) -> Judgement:
    models = Topic(**{one.role.value: one.to_bytes() for one in releases})
    return Judgement(ModelSettings(), chooser=Releases(models, None, baselines=baselines(value)))


@pytest.fixture(scope="module")
def incident() -> Incident:
    line = "ERROR could not reach fraud-check at 10.20.3.8:9443: connection refused"
    return incident_of("orders", [line], Grader(load_classifier()))


async def test_what_the_release_names_is_read_once_and_judges():
    source = baselines(artefact().to_bytes())
    found = await source.find(release())
    assert found is not None
    assert found.meta["corrections"] == 9
    assert await source.find(release()) is found


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        (None, {}),
        (b"{", {}),
        (artefact().to_bytes(), {"adapter_digest": "0" * 64}),
        (artefact().model_copy(update={"arrays": b"half an arr"}).to_bytes(), {}),
    ],
)
async def test_what_is_missing_or_damaged_does_not_judge_and_is_said_once(value, asked, caplog):
    source = baselines(value)
    assert await source.find(release(**asked)) is None
    assert await source.find(release(**asked)) is None
    assert len(caplog.records) == 1
    assert "triage-new" in caplog.text


async def test_content_of_the_right_digest_that_is_no_model_does_not_judge(caplog):
    broken = artefact().model_copy(update={"arrays": b"no arrays"})
    digest = content_digest(broken.arrays, broken.description)
    source = baselines(broken.to_bytes())
    assert await source.find(release(adapter_digest=digest)) is None
    assert "damaged" in caplog.text


async def test_a_released_baseline_judges_and_is_named_in_the_record(incident):
    record = await judgement(release(), value=artefact().to_bytes()).classify(incident)
    assert (record.judge.backend, record.judge.model) == ("baseline", COMMITTED)
    assert (record.judge.adapter, record.judge.fallback_reason) == ("triage-new", None)


async def test_without_its_content_the_committed_one_judges_and_the_record_says_why(incident):
    record = await judgement(release(), value=None).classify(incident)
    assert (record.judge.model, record.judge.adapter) == (COMMITTED, None)
    assert record.judge.fallback_reason == FallbackReason.ADAPTER_UNPROVEN


async def test_a_challenger_judges_its_share_of_the_incidents(incident):
    share = 0.5
    work = judgement(release(ModelRole.CHALLENGER, share=share), value=artefact().to_bytes())
    for number in range(40):
        one = incident.model_copy(update={"id": f"incident-{number}"})
        judge = (await work.classify(one)).judge
        assert judge.variant == variant_of(one.id, share)
        assert (judge.adapter is not None) == (judge.variant == "challenger")


async def test_the_gauge_of_a_challenger_goes_with_it(incident):
    models = Topic(challenger=release(ModelRole.CHALLENGER).to_bytes())
    source = baselines(artefact().to_bytes())
    work = Judgement(ModelSettings(), chooser=Releases(models, None, baselines=source))
    await work.classify(incident)
    assert gauges() == {("challenger",): 1.0}
    models.values.clear()
    models.version += 1
    await work.classify(incident)
    assert gauges() == {}


def gauges() -> dict[tuple[str, ...], float]:
    (family,) = metrics.ADAPTER_ANSWERS.collect()
    return {tuple(sample.labels.values()): sample.value for sample in family.samples}


async def test_a_model_that_was_released_is_not_asked_where_none_is_configured(incident):
    model = release(backend="openai", model="gemma", adapter="triage-lora")
    record = await judgement(model, value=None).classify(incident)
    assert record.judge.backend == "baseline"
    assert record.judge.fallback_reason == FallbackReason.NO_MODEL


@pytest.mark.parametrize(
    ("model", "known"),
    [
        (COMMITTED, True),
        ("baseline", False),
        ("baseline-large-v2", False),
        ("gemma-3-270m", False),
        ("baseline-0123456789ab", True),
    ],
)
def test_a_baseline_is_known_by_the_form_of_its_name(model, known):
    assert is_baseline(model) is known
