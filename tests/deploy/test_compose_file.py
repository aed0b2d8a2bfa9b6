"""docker-compose.yml, checked without an engine: every promise that a file can break."""

import importlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from composefile import COMPOSE_FILE, ROOT, TRAINERS, compose_file, env_file, own_services

from opspilot.cli import COMMANDS
from opspilot.commands.worker import StageName
from streams.settings import load_settings

DOCUMENT = compose_file()
SERVICES: dict[str, Any] = DOCUMENT["services"]
LONG_RUNNING = {n: s for n, s in SERVICES.items() if s.get("restart") == "unless-stopped"}
PIPELINE = [stage.value for stage in StageName if stage is not StageName.MODEL]
BACKENDS = {
    **{"": "baseline", "learn.env": "baseline", "gpu.env": "tgi"},
    **{"cpu-llm.env": "openai", "cpu-learn.env": "openai"},
}
PINNED = re.compile(r"^[a-z0-9./-]+:v?\d+\.\d+\.\d+$")


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.startswith("OPSPILOT_"):
            monkeypatch.delenv(name)
    return monkeypatch


def test_every_profile_has_its_file() -> None:
    assert {path.name for path in (ROOT / "deploy/compose").glob("*.env")} | {""} == set(BACKENDS)
    named = {profile for s in SERVICES.values() for profile in s.get("profiles", ())}
    assert {f"{profile}.env" for profile in named} | {""} == set(BACKENDS)


def test_every_stage_is_a_service() -> None:
    commands = [tuple(s["command"]) for s in own_services(DOCUMENT).values()]
    assert ("topics", "create") in commands
    assert ("trainer",) in commands
    for stage in StageName:
        assert ("worker", stage.value) in commands


@pytest.mark.parametrize("name", own_services(DOCUMENT))
def test_every_command_exists(name: str) -> None:
    first, *rest = SERVICES[name]["command"]
    assert first in COMMANDS
    command = typer.main.get_command(
        importlib.import_module(f"opspilot.commands.{first.replace('-', '_')}").app
    )
    if hasattr(command, "commands"):
        assert rest[0] in command.commands
    elif first == "worker":
        assert rest[0] in set(StageName)


@pytest.mark.parametrize("profile", BACKENDS)
@pytest.mark.parametrize("name", own_services(DOCUMENT))
def test_the_environment_gives_valid_settings(
    name: str, profile: str, clean_environment: pytest.MonkeyPatch
) -> None:
    variables = env_file(ROOT / "deploy/compose" / profile) if profile else {}
    environment = compose_file(variables)["services"][name]["environment"]
    for variable, value in environment.items():
        assert isinstance(value, str), f"{variable}: quote {value!r}"
        clean_environment.setenv(variable, value)
    settings = load_settings()
    assert settings.kafka.bootstrap == "kafka:19092"
    assert (settings.worker.host, settings.worker.port) == ("0.0.0.0", 8080)
    judges = name in ("classify", "recommend", *TRAINERS)
    assert settings.model.backend == (BACKENDS[profile] if judges else "baseline")
    if settings.model.backend != "baseline":
        host, _, port = str(settings.model.url).split("/")[2].partition(":")
        served = SERVICES[host]["environment"]
        assert port in (served.get("PORT"), served.get("OPSPILOT_MODEL__LOCAL_PORT"))


def test_all_examples_of_variables_are_read_by_the_file() -> None:
    text = COMPOSE_FILE.read_text()
    named = re.findall(r"^#?([A-Z_][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(), re.M)
    assert len(named) > 10
    for variable in named:
        assert variable == "COMPOSE_PROFILES" or variable in text, variable


def test_every_variable_of_the_file_is_explained() -> None:
    example = (ROOT / ".env.example").read_text()
    used = set(re.findall(r"\$\{([A-Z_][A-Z0-9_]*)", COMPOSE_FILE.read_text()))
    for variable in used - {"OPSPILOT_VERSION"}:
        assert f"#{variable}=" in example, variable


@pytest.mark.parametrize("name", SERVICES)
def test_it_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "mem_limit" in service
    assert "privileged" not in service
    if name == "fluent-bit":
        # Docker's log files belong to root; everything else of root is taken away.
        assert service["cap_add"] == ["DAC_READ_SEARCH"]
        mounts = [str(v) for v in service["volumes"]]
        assert all(m.endswith(":ro") for m in mounts if not m.startswith("fluent-bit-data:"))
    else:
        assert not service["user"].startswith(("0", "root"))
        assert "cap_add" not in service


@pytest.mark.parametrize("name", SERVICES)
def test_its_image_is_pinned(name: str) -> None:
    assert PINNED.match(SERVICES[name]["image"]), SERVICES[name]["image"]


def test_no_log_of_ours_feeds_the_pipeline() -> None:
    for name, service in SERVICES.items():
        assert service["labels"]["opspilot.logs"] == "ignore", name


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_what_runs_on_is_probed(name: str) -> None:
    # Fluent Bit's image holds no program that could probe; nothing waits for it.
    assert name == "fluent-bit" or LONG_RUNNING[name]["healthcheck"]["test"][0] == "CMD"


def test_who_waits_for_whom() -> None:
    assert SERVICES["topics"]["depends_on"]["kafka"]["condition"] == "service_healthy"
    for name in (*PIPELINE, *TRAINERS, "fluent-bit"):
        waits = SERVICES[name]["depends_on"]
        assert waits["topics"]["condition"] == "service_completed_successfully"
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES, f"{name} waits for {other}"
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other]
            if "profiles" not in service:
                assert "profiles" not in SERVICES[other], f"{name} needs the profile of {other}"


def test_stages_can_be_scaled() -> None:
    for stage in PIPELINE:
        assert "ports" not in SERVICES[stage]
        assert "container_name" not in SERVICES[stage]


def test_ports_are_open_to_this_machine_alone() -> None:
    for service in SERVICES.values():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), port


def test_every_mounted_file_is_there() -> None:
    for source in _mounted():
        assert (ROOT / source).exists(), source


def test_every_named_volume_is_declared() -> None:
    used = {
        v.split(":")[0]
        for s in SERVICES.values()
        for v in s.get("volumes", ())
        if not v.startswith((".", "/"))
    }
    assert used == set(DOCUMENT["volumes"])


def test_fluent_bit_and_kafka_speak_of_the_same_address() -> None:
    listeners = (ROOT / "deploy/compose/kafka.properties").read_text()
    assert "INTERNAL://kafka:19092" in listeners
    assert SERVICES["fluent-bit"]["environment"]["KAFKA_BROKERS"] == "kafka:19092"
    start = SERVICES["kafka"]["command"][-1]
    assert "advertised.listeners=INTERNAL://kafka:19092,HOST://localhost:9092" in start


def test_the_file_has_no_key_twice() -> None:
    class Strict(yaml.SafeLoader):
        pass

    def mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
        keys = [k.value for k, _ in node.value if k.tag != "tag:yaml.org,2002:merge"]
        assert len(keys) == len(set(keys)), f"line {node.start_mark.line + 1}: {keys}"
        loader.flatten_mapping(node)
        return {
            loader.construct_object(k, deep=True): loader.construct_object(v, deep=True)
            for k, v in node.value
        }

    Strict.add_constructor("tag:yaml.org,2002:map", mapping)
    assert yaml.load(COMPOSE_FILE.read_text(), Strict)["name"] == "opspilot"


def _mounted() -> Iterator[str]:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            if volume.startswith("./"):
                yield volume.removeprefix("./").split(":")[0]


def test_the_dockerfile_has_the_targets() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    targets = {m[1] for line in lines if (m := re.match(r"FROM .* AS (\S+)$", line))}
    assert {"worker", "trainer", "model"} <= targets
    for service in SERVICES.values():
        if "build" in service:
            assert service["build"]["target"] in targets


def test_the_image_holds_all_packages() -> None:
    text = (ROOT / "Dockerfile").read_text()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for package in ("schemas", "streams", "agents", "training", "opspilot"):
        assert f"COPY {package} {package}" in text
        assert f"!{package}" in ignored
    assert Path(ROOT / "requirements/runtime.lock").exists()
