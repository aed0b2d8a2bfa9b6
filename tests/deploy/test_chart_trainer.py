"""What real helm makes of the trainer: one Pod, beside its model, that may do what it must.

test_chart_baseline.py has the one that needs no model.
"""

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_chart_render import CHART, Objects, pods, render

from opspilot.local.environment import LocalEnvironment
from opspilot.local.model.files import PACKAGE, SHIPPED

pytestmark = pytest.mark.deploy

EXAMPLES = {
    **{"tgi": "tgi", "local": "local-hpa", "vllm": "trainer-vllm"},
    "baseline": "trainer-baseline",
}


def named(objects: Objects, kind: str, name: str) -> dict[str, Any]:
    (found,) = [o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name)]
    return found


def pod(objects: Objects, name: str) -> dict[str, Any]:
    (spec,) = [t["spec"] for o, t in pods(objects) if o["metadata"]["name"] == name]
    assert isinstance(spec, dict)
    return spec


def environment(spec: dict[str, Any]) -> dict[str, str]:
    return {v["name"]: v.get("value", "") for v in spec["containers"][0]["env"]}


def claims(spec: dict[str, Any]) -> dict[str, str]:
    """Return which claim is mounted where."""
    mounts = {m["name"]: m["mountPath"] for m in spec["containers"][0]["volumeMounts"]}
    return {
        mounts[v["name"]]: v["persistentVolumeClaim"]["claimName"]
        for v in spec["volumes"]
        if "persistentVolumeClaim" in v
    }


def allowed(objects: Objects, component: str, direction: str) -> list[dict[str, Any]]:
    """Return the rules of all policies that select a component."""

    def selects(policy: dict[str, Any]) -> bool:
        selector = policy["spec"]["podSelector"]
        asked = selector["matchLabels"].get("app.kubernetes.io/component", component)
        if asked != component:
            return False
        for rule in selector.get("matchExpressions", ()):
            if (component in rule["values"]) is not (rule["operator"] == "In"):
                return False
        return direction in policy["spec"]["policyTypes"]

    policies = [o for o in objects if o["kind"] == "NetworkPolicy" and selects(o)]
    assert policies
    return [rule for o in policies for rule in o["spec"].get(direction.lower(), ())]


def ports(rules: list[dict[str, Any]]) -> set[int]:
    return {port["port"] for rule in rules for port in rule["ports"]}


@pytest.mark.parametrize("server", EXAMPLES)
def test_there_is_one_and_never_two(helm: str, server: str) -> None:
    objects = render(helm, CHART / f"ci/{EXAMPLES[server]}.yaml")
    spec = named(objects, "Deployment", "opspilot-trainer")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert not [
        o
        for o in objects
        if o["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")
        and "trainer" in o["metadata"]["name"]
    ]


def test_nobody_has_one_who_did_not_ask(helm: str) -> None:
    objects = render(helm, CHART / "ci/minimal.yaml")
    assert not [o for o in objects if "trainer" in o["metadata"]["name"]]


@pytest.mark.parametrize(("server", "other"), [("tgi", "tgi"), ("local", "model")])
def test_it_shares_a_volume_with_its_model_on_the_same_node(
    helm: str, server: str, other: str
) -> None:
    objects = render(helm, CHART / f"ci/{EXAMPLES[server]}.yaml")
    trainer, model = pod(objects, "opspilot-trainer"), pod(objects, f"opspilot-{other}")
    shared = claims(trainer)["/models"]
    assert claims(model) == {"/models": shared}
    volume = named(objects, "PersistentVolumeClaim", shared)
    assert volume["spec"]["accessModes"] == ["ReadWriteOnce"]
    (term,) = trainer["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    labels = named(objects, "Deployment", f"opspilot-{other}")["spec"]["template"]["metadata"][
        "labels"
    ]
    assert term["labelSelector"]["matchLabels"].items() <= labels.items()


def test_a_volume_for_many_nodes_ties_it_to_none(helm: str, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    text = (CHART / "ci/tgi.yaml").read_text()
    values.write_text(text.replace("{storageClass: gp3}", "{accessMode: ReadWriteMany}", 1))
    objects = render(helm, values)
    assert "affinity" not in pod(objects, "opspilot-trainer")
    volume = named(objects, "PersistentVolumeClaim", "opspilot-tgi")
    assert volume["spec"]["accessModes"] == ["ReadWriteMany"]


def test_tgi_starts_anew_with_what_is_released(helm: str) -> None:
    objects = render(helm, CHART / "ci/tgi.yaml")
    trainer, tgi = pod(objects, "opspilot-trainer"), pod(objects, "opspilot-tgi")
    file = environment(trainer)["OPSPILOT_RELEASE__ADAPTERS_FILE"]
    assert environment(tgi)["ADAPTERS_FILE"] == file
    assert environment(tgi)["LORA_ADAPTERS"] == "opspilot=/models/adapters/opspilot"
    assert environment(trainer)["OPSPILOT_TRAINING__BASE"] == environment(tgi)["MODEL_ID"]
    (container,) = tgi["containers"]
    assert container["command"] == ["/bin/bash", "/opspilot/serve.sh"]
    script = named(objects, "ConfigMap", "opspilot-tgi-serve")["data"]["serve.sh"]
    assert script.strip() == (CHART.parents[1] / "tgi/serve.sh").read_text().strip()
    resources = trainer["containers"][0]["resources"]
    assert resources["requests"] == {"cpu": "1", "memory": "6Gi", "nvidia.com/gpu": 1}
    assert resources["limits"] == {"memory": "16Gi", "nvidia.com/gpu": 1}


def test_the_small_model_is_taught_what_it_serves(helm: str) -> None:
    objects = render(helm, CHART / "ci/local-hpa.yaml")
    trainer, model = pod(objects, "opspilot-trainer"), pod(objects, "opspilot-model")
    folder = "OPSPILOT_MODEL__LOCAL_ADAPTER_FOLDER"
    assert environment(trainer)[folder] == environment(model)[folder]
    cache = LocalEnvironment.read(environment(model), Path("/")).cache_directory
    served = cache / "models" / importlib.import_module(PACKAGE).MODEL_NAME
    assert environment(trainer)["OPSPILOT_TRAINING__BASE"] == str(served)
    assert "nvidia.com/gpu" not in trainer["containers"][0]["resources"]["limits"]


def test_vllm_is_told_of_the_folder_by_its_own_path(helm: str) -> None:
    objects = render(helm, CHART / "ci/trainer-vllm.yaml")
    trainer = pod(objects, "opspilot-trainer")
    given = environment(trainer)
    assert given["OPSPILOT_RELEASE__SERVER"] == "vllm"
    assert given["OPSPILOT_RELEASE__SERVER_FOLDER"] == "/adapters/released"
    assert given["OPSPILOT_RELEASE__REGISTRY"].startswith("s3://")
    assert claims(trainer)["/models"] == "vllm-models"
    account = named(objects, "ServiceAccount", trainer["serviceAccountName"])
    assert "eks.amazonaws.com/role-arn" in account["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("server", "other", "port"), [("tgi", "tgi", 8080), ("local", "model", 8012)]
)
def test_it_reaches_kafka_its_model_and_a_bucket(
    helm: str, server: str, other: str, port: int
) -> None:
    objects = render(helm, CHART / f"ci/{EXAMPLES[server]}.yaml")
    assert {53, 443, 9092, port} <= ports(allowed(objects, "trainer", "Egress"))
    assert ports(allowed(objects, "ingest", "Egress")).isdisjoint({443, 8012, 8080})
    assert 8080 in ports(allowed(objects, "trainer", "Ingress"))
    peers = [
        peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for rule in allowed(objects, other, "Ingress")
        if port in {p["port"] for p in rule["ports"]}
        for peer in rule.get("from", ())
    ]
    assert "trainer" in peers


def test_signatures_are_checked_by_those_who_count_words(helm: str) -> None:
    objects = render(helm, CHART / "ci/tgi.yaml")
    for name in ("drift", "trainer"):
        spec = pod(objects, f"opspilot-{name}")
        mounts = {m["mountPath"] for m in spec["containers"][0]["volumeMounts"]}
        folder, _, key = environment(spec)["OPSPILOT_FEEDBACK__KEYS_FILE"].rpartition("/")
        assert folder in mounts
        assert key == "keys.json"
    assert "feedback-keys" not in str(pod(objects, "opspilot-classify"))


def test_it_is_scraped_as_the_job_that_alerts_name(helm: str) -> None:
    objects = render(helm, CHART / "ci/tgi.yaml")
    monitor = named(objects, "ServiceMonitor", "opspilot")["spec"]
    service = named(objects, "Service", "opspilot-trainer")
    labels = service["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    assert labels[monitor["jobLabel"]] == "trainer"
    assert {e["port"] for e in monitor["endpoints"]} & {p["name"] for p in service["spec"]["ports"]}


ADAPTER = "OPSPILOT_MODEL__ADAPTER"


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({}, SHIPPED),
        ({"local": {"adapter": ""}}, None),
        ({"settings": {ADAPTER: "mine"}}, "mine"),
        ({"model": {"kind": "baseline"}}, None),
    ],
)
def test_the_small_model_judges_with_the_adapter_that_ships(
    helm: str, tmp_path: Path, over: dict[str, Any], expected: str | None
) -> None:
    values = yaml.safe_load((CHART / "ci/local-hpa.yaml").read_text()) | over
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(values))
    objects = render(helm, path)
    assert named(objects, "ConfigMap", "opspilot-settings")["data"].get(ADAPTER) == expected
    for name in ("classify", "recommend", "trainer"):
        (container,) = pod(objects, f"opspilot-{name}")["containers"]
        assert container["envFrom"] == [{"configMapRef": {"name": "opspilot-settings"}}]
        assert ADAPTER not in {v["name"] for v in container.get("env", ())}
