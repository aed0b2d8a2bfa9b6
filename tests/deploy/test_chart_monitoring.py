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
