"""What real helm makes of the chart: lint, template, and every object validated.

Comes in: the value files under ci/. Checked of each object: Kubernetes' own schema, pod security
`restricted`, and that everything it names is there or is the user's own.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from composefile import ROOT

sys.path.insert(0, str(ROOT / "deploy"))
import generate

from streams.settings import load_settings

pytestmark = pytest.mark.deploy

CHART = ROOT / "deploy/helm/opspilot"
EXAMPLES = sorted((CHART / "ci").glob("*.yaml"))
VERSION = "1.31"
NAMESPACE = "opspilot"
CUSTOM = {
    "keda.sh/v1alpha1": {"ScaledObject", "TriggerAuthentication"},
    "monitoring.coreos.com/v1": {"ServiceMonitor", "PrometheusRule"},
    "kafka.strimzi.io/v1": {"KafkaTopic"},
}
Objects = list[dict[str, Any]]


def call(helm: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([helm, *arguments], capture_output=True, text=True, check=False)


def render(helm: str, path: Path) -> Objects:
    done = call(
        helm,
        *("template", "opspilot", str(CHART), "--namespace", NAMESPACE),
        *("--values", str(path), "--kube-version", f"{VERSION}.0"),
    )
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@pytest.fixture(scope="module", params=EXAMPLES, ids=[path.stem for path in EXAMPLES])
def rendered(request: pytest.FixtureRequest, helm: str) -> tuple[dict[str, Any], Objects]:
    return yaml.safe_load(request.param.read_text()), render(helm, request.param)


def test_there_are_enough_examples() -> None:
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_lint(helm: str, path: Path) -> None:
    done = call(helm, "lint", "--strict", str(CHART), "--values", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("flag", "mistake", "named"),
    [
        ("--set-string", "kafka.bootstrap=", "bootstrap"),
        ("--set-string", "scaling.kind=vpa", "scaling"),
        ("--set", "stages.correlate.maxReplicas=3", "maxReplicas"),
        ("--set-string", "settings.OPSPILOT_NO__SUCH=1", "OPSPILOT_NO__SUCH"),
        ("--set-string", "kafka.securityProtocol=SASL_SSL", "secretName"),
        ("--set", "trainer.enabled=true,trainer.registry=/models/x", "/trainer/registry"),
        ("--set", "trainer.enabled=true,model.kind=tgi,trainer.gpu=1", "gpu"),
        ("--set", "scaling.kind=keda,stages.ingest.minReplicas=9", "stages.ingest.minReplicas"),
    ],
)
def test_mistakes_are_refused(helm: str, flag: str, mistake: str, named: str) -> None:
    done = call(
        helm,
        *("template", "x", str(CHART), "--kube-version", f"{VERSION}.0"),
        *("--values", str(CHART / "ci/minimal.yaml"), flag, mistake),
    )
    assert done.returncode != 0
    assert named in done.stderr


def test_every_object_is_valid(rendered: tuple[dict[str, Any], Objects]) -> None:
    for thing in rendered[1]:
        if thing["apiVersion"] in CUSTOM:
            assert thing["kind"] in CUSTOM[thing["apiVersion"]]
            assert thing["spec"]
            assert thing["metadata"]["name"]
            continue
        kubernetes_validate.validate(thing, VERSION, strict=True)


def test_names_are_unique(rendered: tuple[dict[str, Any], Objects]) -> None:
    names = [
        (o["apiVersion"], o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"])
        for o in rendered[1]
    ]
    assert len(names) == len(set(names))
    for _, kind, namespace, _ in names:
        assert namespace or kind in ("Namespace", "ClusterRole", "ClusterRoleBinding")


def pods(objects: Objects) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for thing in objects:
        if thing["kind"] in ("Deployment", "Job", "DaemonSet"):
            yield thing, thing["spec"]["template"]


def test_pods_are_restricted(rendered: tuple[dict[str, Any], Objects]) -> None:
    for owner, template in pods(rendered[1]):
        spec = template["spec"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"]["drop"] == ["ALL"]
            assert "memory" in container["resources"]["limits"]
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            if owner["kind"] != "DaemonSet":
                assert "add" not in context["capabilities"]
        if owner["kind"] == "DaemonSet":
            continue
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        allowed = {"emptyDir", "persistentVolumeClaim", "secret", "configMap"}
        for volume in spec["volumes"]:
            assert set(volume) - {"name"} <= allowed, volume


def test_no_log_of_ours_is_shipped(rendered: tuple[dict[str, Any], Objects]) -> None:
    for _, template in pods(rendered[1]):
        assert template["metadata"]["annotations"]["fluentbit.io/exclude"] == "true"
        assert template["metadata"]["labels"]["opspilot.logs"] == "ignore"


def test_what_is_named_is_there(rendered: tuple[dict[str, Any], Objects]) -> None:
    values, objects = rendered
    made = {(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects}
    given = str(values)
    for owner, template in pods(objects):
        home = owner["metadata"]["namespace"]
        spec = template["spec"]
        assert ("ServiceAccount", home, spec["serviceAccountName"]) in made
        for volume in spec["volumes"]:
            if "configMap" in volume:
                assert ("ConfigMap", home, volume["configMap"]["name"]) in made
            if "secret" in volume:
                assert volume["secret"]["secretName"] in given
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            assert claim is None or claim in given or ("PersistentVolumeClaim", home, claim) in made
        volumes = {volume["name"] for volume in spec["volumes"]}
        for container in spec["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes
            for source in container.get("envFrom", ()):
                assert ("ConfigMap", home, source["configMapRef"]["name"]) in made
            for variable in container.get("env", ()):
                if "valueFrom" in variable:
                    assert variable["valueFrom"]["secretKeyRef"]["name"] in given
    for thing in objects:
        target = thing.get("spec", {}).get("scaleTargetRef")
        if target:
            home = thing["metadata"]["namespace"]
            assert ("Deployment", home, target["name"]) in made


def test_selectors_find_their_pods(rendered: tuple[dict[str, Any], Objects]) -> None:
    labelled = [(o, t["metadata"]["labels"]) for o, t in pods(rendered[1])]
    for owner, labels in labelled:
        if owner["kind"] != "Job":
            assert owner["spec"]["selector"]["matchLabels"].items() <= labels.items()
    for thing in rendered[1]:
        if thing["kind"] == "Service":
            selector = thing["spec"]["selector"]
            found = [o for o, labels in labelled if selector.items() <= labels.items()]
            assert len(found) == 1, thing["metadata"]["name"]
            ports = found[0]["spec"]["template"]["spec"]["containers"][0]["ports"]
            assert {p["targetPort"] for p in thing["spec"]["ports"]} <= {p["name"] for p in ports}
        if thing["kind"] == "PodDisruptionBudget":
            selector = thing["spec"]["selector"]["matchLabels"]
            assert sum(selector.items() <= labels.items() for _, labels in labelled) == 1


def test_probes_ask_what_a_worker_answers(rendered: tuple[dict[str, Any], Objects]) -> None:
    for _, template in pods(rendered[1]):
        (container,) = template["spec"]["containers"]
        if container.get("args", [""])[0] not in ("worker", "trainer"):
            continue
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports[container["livenessProbe"]["httpGet"]["port"]] == 8080


def test_stages_get_valid_settings(
    rendered: tuple[dict[str, Any], Objects], monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = rendered[1]
    settings = {o["metadata"]["name"]: o.get("data") for o in objects if o["kind"] == "ConfigMap"}
    for _, template in pods(objects):
        (container,) = template["spec"]["containers"]
        if "image" not in container or "opspilot/" not in container["image"]:
            continue
        for name in [n for n in os.environ if n.startswith("OPSPILOT_")]:
            monkeypatch.delenv(name)
        for source in container.get("envFrom", ()):
            for name, value in settings[source["configMapRef"]["name"]].items():
                monkeypatch.setenv(name, value)
        for variable in container.get("env", ()):
            monkeypatch.setenv(variable["name"], variable.get("value", "from-a-secret"))
        loaded = load_settings()
        assert (loaded.worker.host, loaded.worker.port) == ("0.0.0.0", 8080)
        kind = rendered[0].get("model", {}).get("kind", "baseline")
        if container["args"][-1] in ("classify", "recommend", "trainer"):
            assert (loaded.model.backend == "baseline") is (kind == "baseline")


def test_the_model_is_where_the_judges_look(rendered: tuple[dict[str, Any], Objects]) -> None:
    services = {o["metadata"]["name"]: o for o in rendered[1] if o["kind"] == "Service"}
    for thing in rendered[1]:
        url = thing.get("data", {}).get("OPSPILOT_MODEL__URL") if thing.get("data") else None
        if url and rendered[0]["model"]["kind"] in ("tgi", "local"):
            host, _, port = url.split("/")[2].partition(":")
            assert int(port) in [p["port"] for p in services[host]["spec"]["ports"]]


def test_gpus_are_asked_for(helm: str) -> None:
    objects = render(helm, CHART / "ci/tgi.yaml")
    (pod,) = [t["spec"] for o, t in pods(objects) if o["metadata"]["name"] == "opspilot-tgi"]
    resources = pod["containers"][0]["resources"]
    assert resources["limits"]["nvidia.com/gpu"] == resources["requests"]["nvidia.com/gpu"] == 2
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"


def test_lag_is_what_keda_scales_on(helm: str) -> None:
    objects = render(helm, CHART / "ci/scram-keda.yaml")
    scaled = {o["metadata"]["name"]: o["spec"] for o in objects if o["kind"] == "ScaledObject"}
    trigger = scaled["opspilot-ingest"]["triggers"][0]
    assert trigger["type"] == "kafka"
    assert trigger["metadata"]["consumerGroup"] == "opspilot.ingest"
    assert trigger["metadata"]["topic"] == "opspilot.logs.raw"
    assert trigger["metadata"]["sasl"] == "scram_sha512"
    assert trigger["authenticationRef"] == {"name": "opspilot-ingest"}
    deployments = [o for o in objects if o["kind"] == "Deployment"]
    assert all("replicas" not in o["spec"] for o in deployments)


def test_keda_asks_for_a_token_where_the_stages_do(helm: str) -> None:
    objects = render(helm, CHART / "ci/oauth-external.yaml")
    (settings,) = [o["data"] for o in objects if o["metadata"]["name"] == "opspilot-settings"]
    found = [o["spec"] for o in objects if o["kind"] == "TriggerAuthentication"]
    assert found
    for about in found:
        for reference in about["configMapTargetRef"]:
            assert reference["name"] == "opspilot-settings"
            assert settings[reference["key"]]
        assert {r["key"] for r in about["secretTargetRef"]} == {"client-id", "client-secret"}


def test_strimzi_topics_are_the_map(helm: str) -> None:
    objects = render(helm, CHART / "ci/strimzi-mtls.yaml")
    topics = {o["spec"]["topicName"]: o["spec"] for o in objects if o["kind"] == "KafkaTopic"}
    assert set(topics) == {f"prod.opspilot.{t['short']}" for t in generate.topics()}
    assert topics["prod.opspilot.incidents"]["partitions"] == 8
    assert topics["prod.opspilot.ledger"]["config"]["cleanup.policy"] == "compact"


def test_fluent_bit_is_given_what_kafka_asks_for(helm: str) -> None:
    objects = render(helm, CHART / "ci/judges-only.yaml")
    (config,) = [o["data"] for o in objects if "opspilot.lua" in (o.get("data") or {})]
    document = yaml.safe_load(config["opspilot.yaml"])
    (output,) = document["pipeline"]["outputs"]
    assert output["rdkafka.security.protocol"] == "sasl_plaintext"
    assert output["rdkafka.sasl.username"] == "${KAFKA_USERNAME}"
    script = document["pipeline"]["filters"][-1]["script"]
    assert script == "/fluent-bit/etc/opspilot/opspilot.lua"


def test_the_plain_manifests_are_current() -> None:
    assert generate.MANIFESTS.read_text() == generate.manifests(), "run `make manifests`"


def test_the_plain_manifests_are_valid() -> None:
    for thing in yaml.safe_load_all(generate.MANIFESTS.read_text()):
        if thing:
            kubernetes_validate.validate(thing, VERSION, strict=True)
