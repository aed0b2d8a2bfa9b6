"""What real helm makes of a trainer where the baseline judges: Kafka and its own volume."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from test_chart_render import CHART, Objects, render
from test_chart_trainer import allowed, claims, environment, named, pod, ports

pytestmark = pytest.mark.deploy

KAFKA = {53, 9092, 9093, 9094, 9096, 9098}
OF_A_MODEL = {
    "model": {"kind": "baseline", "apiKeySecretName": "key"},
    "trainer": {
        **{"enabled": True, "gpus": 2, "base": "a/model", "hfTokenSecretName": "hf"},
        "shared": {"existingClaim": "vllm-models", "serverFolder": "/adapters"},
    },
}
"""What may be left over of another kind of model."""


def rendered(helm: str, folder: Path, over: dict[str, Any]) -> Objects:
    path = folder / "values.yaml"
    path.write_text(yaml.safe_dump({"kafka": {"bootstrap": "kafka:9092"}} | over))
    return render(helm, path)


def test_enabling_it_is_enough(helm: str, tmp_path: Path) -> None:
    objects = rendered(helm, tmp_path, {"trainer": {"enabled": True}})
    spec = pod(objects, "opspilot-trainer")
    assert claims(spec) == {"/training": "opspilot-trainer"}
    assert environment(spec) == {
        "OPSPILOT_TRAINING__FOLDER": "/training",
        "OPSPILOT_RELEASE__REGISTRY": "/training/registry",
    }
    settings = named(objects, "ConfigMap", "opspilot-settings")["data"]
    assert "OPSPILOT_MODEL__BACKEND" not in settings


def test_nothing_of_a_model_is_left(helm: str, tmp_path: Path) -> None:
    plain = rendered(helm, tmp_path, {"trainer": {"enabled": True}})
    spec = pod(rendered(helm, tmp_path, OF_A_MODEL), "opspilot-trainer")
    assert spec == pod(plain, "opspilot-trainer")
    assert "affinity" not in spec
    for word in ("nvidia.com/gpu", "NVIDIA", "HF_", "OPSPILOT_TRAINING__BASE", "/models"):
        assert word not in str(spec | {"tolerations": []}), word


def test_it_needs_less_by_itself(helm: str, tmp_path: Path) -> None:
    objects = rendered(helm, tmp_path, {"trainer": {"enabled": True}})
    assert pod(objects, "opspilot-trainer")["containers"][0]["resources"] == {
        "requests": {"cpu": "1", "memory": "1Gi"},
        "limits": {"memory": "4Gi"},
    }
    more = {"enabled": True, "resources": {"limits": {"memory": "8Gi"}}}
    objects = rendered(helm, tmp_path, {"trainer": more})
    assert pod(objects, "opspilot-trainer")["containers"][0]["resources"] == {
        "requests": {"cpu": "1", "memory": "1Gi"},
        "limits": {"memory": "8Gi"},
    }


def test_it_reaches_kafka_and_a_bucket_only_where_one_is_named(helm: str, tmp_path: Path) -> None:
    objects = render(helm, CHART / "ci/trainer-baseline.yaml")
    assert ports(allowed(objects, "trainer", "Egress")) == KAFKA
    assert 8080 in ports(allowed(objects, "trainer", "Ingress"))
    bucket = {"enabled": True, "registry": "s3://bucket/baselines"}
    objects = rendered(helm, tmp_path, {"trainer": bucket})
    assert ports(allowed(objects, "trainer", "Egress")) == KAFKA | {443}
    given = environment(pod(objects, "opspilot-trainer"))
    assert given["OPSPILOT_RELEASE__REGISTRY"] == "s3://bucket/baselines"


def test_it_has_its_own_rights_and_checks_signatures(helm: str) -> None:
    spec = pod(render(helm, CHART / "ci/trainer-baseline.yaml"), "opspilot-trainer")
    users = {
        v["valueFrom"]["secretKeyRef"]["name"]
        for v in spec["containers"][0]["env"]
        if "valueFrom" in v
    }
    assert users == {"kafka-trainer"}
    folder = environment(spec)["OPSPILOT_FEEDBACK__KEYS_FILE"].rpartition("/")[0]
    assert folder in {m["mountPath"] for m in spec["containers"][0]["volumeMounts"]}
