"""The trainers of docker-compose.yml: each reaches who judges, and keeps what it made."""

import importlib
import os
from pathlib import Path

import pytest
import yaml
from composefile import ROOT, TRAINERS, compose_file, env_file

from opspilot.local.environment import LocalEnvironment
from opspilot.local.model.files import PACKAGE, SHIPPED
from streams.modelsettings import BackendName
from streams.releasesettings import ServerKind
from streams.settings import Settings, load_settings

DOCUMENT = compose_file()
SERVICES = DOCUMENT["services"]
SMALL = {"cpu-llm.env": (), "cpu-learn.env": ("trainer-cpu",)}


def _load(
    monkeypatch: pytest.MonkeyPatch, name: str, profile: str, over: dict[str, str] | None = None
) -> Settings:
    """Return the settings of a service, of nothing but its file's and the profile's variables."""
    for variable in [v for v in os.environ if v.startswith("OPSPILOT_")]:
        monkeypatch.delenv(variable)
    variables = env_file(ROOT / "deploy/compose" / profile) | (over or {})
    for variable, value in compose_file(variables)["services"][name]["environment"].items():
        monkeypatch.setenv(variable, value)
    return load_settings()


def _volumes(name: str) -> set[tuple[str, str]]:
    return {
        (source, mount)
        for source, mount, *_ in (v.split(":") for v in SERVICES[name]["volumes"])
        if source in DOCUMENT["volumes"]
    }


def test_all_that_train_are_looked_at() -> None:
    assert {n for n, s in SERVICES.items() if s.get("command") == ["trainer"]} == set(TRAINERS)
    # One profile brings one.
    profiles = [SERVICES[name]["profiles"] for name in TRAINERS]
    assert profiles == [[file.removesuffix(".env")] for file in TRAINERS.values()]


def test_the_trainer_hands_adapters_to_tgi(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(monkeypatch, "trainer", "gpu.env", {"TGI_MODEL_ID": "a/model"})
    tgi = compose_file({"TGI_MODEL_ID": "a/model"})["services"]["tgi"]
    assert settings.release.server is ServerKind.TGI
    assert settings.training.base == tgi["environment"]["MODEL_ID"] == "a/model"
    assert str(settings.release.adapters_file) == tgi["environment"]["ADAPTERS_FILE"]
    # Not where people put theirs: what is in no role is removed from it.
    assert str(settings.release.adapter_folder) != "/models/adapters"
    shared = _volumes("trainer") & _volumes("tgi")
    for path in (settings.release.adapter_folder, settings.release.adapters_file):
        assert any(str(path).startswith(f"{mount}/") for _, mount in shared), path
    assert tgi["entrypoint"] == ["/bin/bash", "/opspilot/serve.sh"]


def test_the_trainer_hands_adapters_to_the_small_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = _load(monkeypatch, "trainer-cpu", "cpu-learn.env")
    model = SERVICES["model"]["environment"]
    assert settings.release.server is ServerKind.LOCAL
    assert str(settings.model.local_adapter_folder) == model["OPSPILOT_MODEL__LOCAL_ADAPTER_FOLDER"]
    assert _volumes("trainer-cpu") & _volumes("model") == {("models", "/models")}
    # The base is the file that the model serves, where the model puts it together.
    package = importlib.import_module(PACKAGE)
    cache = LocalEnvironment.read(model, Path("/")).cache_directory
    assert settings.training.base == str(cache / "models" / package.MODEL_NAME)


def test_the_baseline_is_fitted_without_a_model_or_a_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = _load(monkeypatch, "trainer-baseline", "learn.env")
    assert settings.model.backend is BackendName.BASELINE
    service = SERVICES["trainer-baseline"]
    # Where scikit-learn is; the image of the stages has none.
    assert service["build"]["target"] == "trainer"
    assert "deploy" not in service
    given = set(service["environment"])
    assert not given & {"OPSPILOT_TRAINING__BASE", "HF_HUB_CACHE", "NVIDIA_DRIVER_CAPABILITIES"}
    assert {v for v in given if v.startswith("OPSPILOT_RELEASE__")} == {
        "OPSPILOT_RELEASE__REGISTRY"
    }
    # Nothing that comes with another profile is waited for.
    assert set(service["depends_on"]) == {"topics", "kafka"}
    person = {"OPSPILOT_FEEDBACK__SINGLE_PERSON": "true"}
    alone = _load(monkeypatch, "trainer-baseline", "learn.env", person)
    assert alone.feedback.single_person


@pytest.mark.parametrize("name", TRAINERS)
def test_what_the_trainer_writes_outlives_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(monkeypatch, name, TRAINERS[name])
    for path in (str(settings.training.folder), settings.release.registry):
        assert any(f"{path}/".startswith(f"{mount}/") for _, mount in _volumes(name)), path
    assert {"models", "training"} == {source for source, _ in _volumes(name)}
    bucket = {"OPSPILOT_RELEASE__REGISTRY": "s3://b/adapters"}
    changed = _load(monkeypatch, name, TRAINERS[name], bucket)
    assert changed.release.registry == "s3://b/adapters"


def test_what_was_kept_is_found_with_another_profile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = set()
    for name, file in TRAINERS.items():
        registry = _load(monkeypatch, name, file).release.registry
        kept |= {(volume, registry) for volume, at in _volumes(name) if registry.startswith(at)}
    assert kept == {("models", "/models/registry")}


def test_prometheus_finds_each_trainer() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    names = {
        name
        for job in config["scrape_configs"]
        for found in job["dns_sd_configs"]
        for name in found["names"]
    }
    assert {"trainer", "model", "tgi"} <= names
    for name in set(TRAINERS) - {"trainer"}:
        assert SERVICES[name]["networks"]["default"]["aliases"] == ["trainer"]


@pytest.mark.parametrize("profile", SMALL)
def test_the_small_model_judges_with_the_adapter_that_ships(
    profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("classify", "recommend", *SMALL[profile]):
        assert _load(monkeypatch, name, profile).model.adapter == SHIPPED


@pytest.mark.parametrize("profile", ["gpu.env", "learn.env"])
def test_no_other_model_is_asked_for_that_adapter(
    profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [name for name, file in TRAINERS.items() if file == profile]
    for name in ("classify", "recommend", *names):
        assert _load(monkeypatch, name, profile).model.adapter is None


def test_another_adapter_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    over = {"OPSPILOT_MODEL__ADAPTER": "mine"}
    assert _load(monkeypatch, "classify", "cpu-llm.env", over).model.adapter == "mine"
