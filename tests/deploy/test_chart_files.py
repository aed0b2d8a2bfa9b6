"""The chart's files without helm: they fit the code, and the schema refuses mistakes."""

import copy
import json
import re
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from composefile import ROOT

sys.path.insert(0, str(ROOT / "deploy"))
import generate

from opspilot.acls import READS
from opspilot.commands.worker import StageName
from schemas.topics import TOPICS

CHART = ROOT / "deploy/helm/opspilot"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
EXAMPLES = sorted((CHART / "ci").glob("*.yaml"))
STAGES = [stage.value for stage in StageName if stage is not StageName.MODEL]


def merged(over: dict[str, Any], base: Any = None) -> dict[str, Any]:
    result = copy.deepcopy(VALUES if base is None else base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(value, result[key])
        else:
            result[key] = value
    return result  # type: ignore[no-any-return]


def test_what_is_generated_is_current() -> None:
    assert generate.stale(generate.generated_files()) == [], "run `make generate`"


def test_the_schema_knows_every_value() -> None:
    def compare(values: dict[str, Any], schema: dict[str, Any], where: str) -> None:
        properties = schema.get("properties")
        if properties is None:
            return
        assert set(values) <= set(properties), where
        assert schema["additionalProperties"] is False, where
        for key, value in values.items():
            if isinstance(value, dict):
                compare(value, properties[key], f"{where}.{key}")

    compare(VALUES, SCHEMA, "values")
    assert set(SCHEMA["properties"]) == {*VALUES, "global"}


@pytest.mark.parametrize("path", EXAMPLES, ids=[p.stem for p in EXAMPLES])
def test_the_examples_are_accepted(path: Path) -> None:
    jsonschema.validate(merged(yaml.safe_load(path.read_text())), SCHEMA)


KAFKA = {"kafka": {"bootstrap": "kafka:9092"}}
TRAINED = {"model": {"kind": "tgi"}}
MISTAKES: dict[str, dict[str, Any]] = {
    "no bootstrap": {},
    "bootstrap without port": {"kafka": {"bootstrap": "kafka"}},
    "unknown value": {**KAFKA, "kafak": {}},
    "unknown value within": {"kafka": {"bootstrap": "kafka:9092", "protocol": "SSL"}},
    "unknown protocol": {"kafka": {"bootstrap": "kafka:9092", "securityProtocol": "TLS"}},
    "SASL without a Secret": {"kafka": {"bootstrap": "k:1", "securityProtocol": "SASL_SSL"}},
    "a password as value": {"kafka": {"bootstrap": "k:1", "sasl": {"password": "x"}}},
    "unknown stage": {**KAFKA, "stages": {"clasify": {"replicas": 2}}},
    "no replica": {**KAFKA, "stages": {"ingest": {"replicas": 0}}},
    "too many of correlate": {**KAFKA, "stages": {"correlate": {"maxReplicas": 5}}},
    "replicas as text": {**KAFKA, "stages": {"ingest": {"replicas": "2"}}},
    "unknown scaling": {**KAFKA, "scaling": {"kind": "vpa"}},
    "utilization over 100": {**KAFKA, "scaling": {"cpuUtilization": 150}},
    "unknown model": {**KAFKA, "model": {"kind": "gpt"}},
    "external without url": {**KAFKA, "model": {"kind": "external"}},
    "url without scheme": {**KAFKA, "model": {"external": {"url": "vllm:8000"}}},
    "unknown setting": {**KAFKA, "settings": {"OPSPILOT_WORKER__LOGLEVEL": "info"}},
    "setting that has a value": {**KAFKA, "settings": {"OPSPILOT_KAFKA__BOOTSTRAP": "k:1"}},
    "a secret as setting": {**KAFKA, "settings": {"OPSPILOT_MODEL__API_KEY": "x"}},
    "setting that is no text": {**KAFKA, "settings": {"OPSPILOT_INGEST__BATCH_RECORDS": 5}},
    "image without version": {**KAFKA, "tgi": {"image": "ghcr.io/huggingface/tgi"}},
    "short digest": {**KAFKA, "image": {"digest": "sha256:abc"}},
    "adapter elsewhere": {**KAFKA, "tgi": {"loraAdapters": "a=/tmp/a"}},
    "memory of no unit": {**KAFKA, "local": {"resources": {"limits": {"memory": "1GB"}}}},
    "size of no unit": {**KAFKA, "tgi": {"volume": {"size": "60"}}},
    "port over 65535": {**KAFKA, "networkPolicy": {"kafkaPorts": [70000]}},
    "unknown way of topics": {**KAFKA, "topics": {"create": "yes"}},
    "prefix with a blank": {**KAFKA, "topics": {"prefix": "ops pilot."}},
    "baselines kept on a volume that is not there": {
        **KAFKA,
        "trainer": {"enabled": True, "registry": "/models/registry"},
    },
    "two trainers": {**KAFKA, **TRAINED, "trainer": {"enabled": True, "replicas": 2}},
    "half a GPU": {**KAFKA, **TRAINED, "trainer": {"enabled": True, "gpus": 0.5}},
    "adapters kept nowhere": {**KAFKA, **TRAINED, "trainer": {"registry": "/tmp/registry"}},
    "adapters kept on another volume": {**KAFKA, "trainer": {"registry": "gs://"}},
    "trainer with an external TGI": {
        **KAFKA,
        **{"model": {"kind": "external", "external": {"backend": "tgi", "url": "http://x"}}},
        "trainer": {"enabled": True, "base": "a/b", "shared": {"existingClaim": "c"}},
    },
    "trainer that shares nothing with vLLM": {
        **KAFKA,
        **{"model": {"kind": "external", "external": {"url": "http://x/v1"}}},
        "trainer": {"enabled": True, "base": "a/b"},
    },
    "trainer without a base for vLLM": {
        **KAFKA,
        **{"model": {"kind": "external", "external": {"url": "http://x/v1"}}},
        "trainer": {"enabled": True, "shared": {"existingClaim": "c"}},
    },
    "unknown access mode": {**KAFKA, "tgi": {"volume": {"accessMode": "ReadOnlyMany"}}},
    "keys of people as value": {**KAFKA, "feedback": {"keys": {"ana": "x"}}},
    "restart command": {**KAFKA, "settings": {"OPSPILOT_RELEASE__RESTART_COMMAND": '["x"]'}},
}


@pytest.mark.parametrize("name", MISTAKES)
def test_the_schema_refuses(name: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(merged(MISTAKES[name]), SCHEMA)


def test_what_the_mistakes_are_made_in_is_accepted() -> None:
    for registry in ("", "/training/registry", "s3://bucket/baselines"):
        trainer = {"trainer": {"enabled": True, "registry": registry}}
        for model in ({}, TRAINED):
            jsonschema.validate(merged({**KAFKA, **model, **trainer}), SCHEMA)


def test_every_stage_has_values() -> None:
    assert list(VALUES["stages"]) == STAGES
    assert list(SCHEMA["properties"]["stages"]["properties"]) == STAGES


def test_scaling_looks_at_the_topics_that_stages_read() -> None:
    text = (CHART / "templates/scaling.yaml").read_text()
    line = text.splitlines()[0]
    words = re.findall(r'"([^"]+)"', line)
    sources = dict(zip(words[::2], words[1::2], strict=True))
    assert sources == {stage: READS[stage][0].short for stage in STAGES}


def test_templates_set_only_settings_that_exist() -> None:
    known = {generate.PREFIX + name for name in generate.variables()}
    for path in (CHART / "templates").glob("*.yaml"):
        for name in re.findall(r"OPSPILOT_[A-Z]+__[A-Z_]+[A-Z]", path.read_text()):
            assert name in known, f"{path.name}: {name}"


def test_what_the_chart_sets_is_not_free_too() -> None:
    assert set(generate.variables()) >= generate.SET_BY_THE_CHART
    free = generate.free_variables()
    assert not any("PASSWORD" in name or "SECRET" in name for name in free)


def test_topics_for_strimzi_are_the_map() -> None:
    topics = json.loads((CHART / "files/topics.json").read_text())
    assert [topic["short"] for topic in topics] == list(TOPICS)
    names = [re.sub("_", "-", f"opspilot.{t['short']}".lower()) for t in topics]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name), name


def test_images_are_pinned() -> None:
    for image in (VALUES["tgi"]["image"], VALUES["fluentBit"]["image"]):
        assert re.search(r":\d+\.\d+\.\d+$", image)
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{chart["appVersion"]}"' in project


def test_compose_and_chart_run_the_same_images() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    for image in (VALUES["tgi"]["image"], VALUES["fluentBit"]["image"]):
        assert f"image: {image}\n" in compose
