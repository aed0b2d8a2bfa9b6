"""What real helm makes of dashboards and rules: they come whole, and point to their pages."""

import pytest
import yaml
from composefile import ROOT
from test_chart_render import CHART, generate, render

pytestmark = pytest.mark.deploy


def test_dashboards_and_rules_come_whole(helm: str) -> None:
    objects = render(helm, CHART / "ci/scram-keda.yaml")
    shown: dict[str, str] = {}
    for thing in objects:
        if thing["metadata"].get("labels", {}).get("grafana_dashboard"):
            shown |= thing["data"]
    assert {name: text.strip() for name, text in shown.items()} == {
        path.name: path.read_text().strip() for path in generate.DASHBOARDS.glob("*.json")
    }
    rules = [thing["spec"] for thing in objects if thing["kind"] == "PrometheusRule"]
    base = yaml.safe_load((CHART / "ci/scram-keda.yaml").read_text())["monitoring"]["rules"]
    expected = [
        yaml.safe_load(
            path.read_text().replace("docs/runbooks/", f"{base['runbookBaseUrl']}/")
            if path.stem == "alerts"
            else path.read_text()
        )
        for path in sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))
    ]
    # The comment at the file's top names the folder too; only what is read counts.
    assert rules == expected


def test_fluent_bit_is_scraped_where_it_lives_by_its_own_path(helm: str) -> None:
    objects = render(helm, CHART / "ci/strimzi-mtls.yaml")
    by_name = {(o["kind"], o["metadata"]["name"]): o for o in objects}
    monitor = by_name["ServiceMonitor", "opspilot-fluent-bit"]["spec"]
    service = by_name["Service", "opspilot-fluent-bit"]
    assert monitor["namespaceSelector"]["matchNames"] == [service["metadata"]["namespace"]]
    labels = service["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    assert labels[monitor["jobLabel"]] == "fluent-bit"
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    (job,) = [j for j in config["scrape_configs"] if j["job_name"] == "fluent-bit"]
    (endpoint,) = monitor["endpoints"]
    assert endpoint["path"] == job["metrics_path"]
    assert [endpoint["port"]] == [port["name"] for port in service["spec"]["ports"]]
    # The stages' monitor would ask it for /metrics, which it does not have.
    others = {e["port"] for e in by_name["ServiceMonitor", "opspilot"]["spec"]["endpoints"]}
    assert endpoint["port"] not in others
