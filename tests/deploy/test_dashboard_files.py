"""Grafana's dashboards without Grafana: whole, consistent, and of metrics that there are."""

import json
import re
import sys
from itertools import combinations
from typing import Any

import pytest
import yaml
from composefile import ROOT, compose_file
from metricnames import FOREIGN, declared, metrics_of
from test_alerts import ALERTS, RECORDED

sys.path.insert(0, str(ROOT / "deploy"))
from dashboards.files import dashboard_files

FILES = {name: json.loads(text) for name, text in dashboard_files().items()}
DRAWN = {name: board for name, board in FILES.items() if name != "runbooks.json"}
REQUIRED = {
    "http_request_duration_seconds_bucket",
    "llm_inference_latency_seconds_bucket",
    "llm_tokens_generated_total",
    "incident_classification_accuracy",
    "model_drift_score",
    "active_incidents_total",
}
VARIABLE = re.compile(r"\$\{?(\w+)")
BUILT_IN = {"__rate_interval", "__range"}


def panels() -> list[Any]:
    return [
        pytest.param(board, panel, id=f"{name}: {panel['title']}")
        for name, board in DRAWN.items()
        for panel in board["panels"]
    ]


def expressions(board: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]


def test_there_are_six_and_the_runbooks() -> None:
    assert len(DRAWN) == 6
    uids = [board["uid"] for board in FILES.values()]
    assert len(set(uids)) == len(uids)


@pytest.mark.parametrize(("board", "panel"), panels())
def test_a_panel_is_whole(board: dict[str, Any], panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    refs = [target["refId"] for target in panel["targets"]]
    assert len(set(refs)) == len(refs)
    known = {v["name"] for v in board["templating"]["list"]} | BUILT_IN
    for target in panel["targets"]:
        assert target["datasource"]["uid"] == "${datasource}"
        assert set(VARIABLE.findall(target["expr"])) <= known
        found = metrics_of(target["expr"])
        assert found
        assert found <= declared() | set(RECORDED), target["expr"]


@pytest.mark.parametrize("name", FILES)
def test_panels_lie_side_by_side(name: str) -> None:
    found = FILES[name]["panels"]
    assert len({panel["id"] for panel in found}) == len(found)
    for panel in found:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24, panel["title"]
    for one, other in combinations([panel["gridPos"] for panel in found], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below


@pytest.mark.parametrize("name", DRAWN)
def test_variables_releases_and_the_way_to_the_others(name: str) -> None:
    board = DRAWN[name]
    source, *rest = board["templating"]["list"]
    assert (source["name"], source["type"]) == ("datasource", "datasource")
    assert rest
    used = {found for expr in expressions(board) for found in VARIABLE.findall(expr)}
    for variable in rest:
        series = variable["query"].removeprefix("label_values(").split(",")[0]
        assert metrics_of(series) <= declared()
        assert variable["name"] in used
    (mark,) = board["annotations"]["list"]
    assert metrics_of(mark["expr"]) == {"opspilot_model_release_timestamp_seconds"}
    assert mark["useValueForTime"] is True
    (link,) = board["links"]
    assert link["tags"] == ["opspilot"]
    assert "opspilot" in board["tags"]


def test_each_link_shows_the_page_that_it_names() -> None:
    pages = {panel["id"]: panel["title"] for panel in FILES["runbooks.json"]["panels"]}
    linked = set()
    for board in DRAWN.values():
        for panel in board["panels"]:
            for link in panel.get("links", ()):
                number = int(link["url"].removeprefix("/d/opspilot-runbooks?viewPanel="))
                assert link["title"] == f"Runbook: {pages[number]}"
                linked.add(pages[number])
    assert linked == set(ALERTS) == set(pages.values())


def test_a_page_in_grafana_links_to_pages_in_grafana_alone() -> None:
    for panel in FILES["runbooks.json"]["panels"]:
        for target in re.findall(r"\]\(([^)]+)\)", panel["options"]["content"]):
            assert target.startswith("/d/opspilot-runbooks?viewPanel="), target


def test_every_metric_is_on_a_dashboard() -> None:
    exprs = [expr for board in DRAWN.values() for expr in expressions(board)]
    exprs += [rule["expr"] for rule in RECORDED.values()]
    shown = {name for expr in exprs for name in metrics_of(expr)}
    assert shown >= REQUIRED
    bases = {re.sub(r"_(bucket|count|sum)$", "", name) for name in shown}
    of_ours = {re.sub(r"_(bucket|count|sum)$", "", name) for name in declared() - FOREIGN}
    assert of_ours - bases == set()


def test_grafana_finds_them() -> None:
    folder = ROOT / "deploy/grafana"
    provider = yaml.safe_load((folder / "provisioning/dashboards/opspilot.yml").read_text())
    (one,) = provider["providers"]
    service = compose_file()["services"]["grafana"]
    assert f"./deploy/grafana/dashboards:{one['options']['path']}:ro" in service["volumes"]
    home = service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.removeprefix(f"{one['options']['path']}/") in DRAWN
    source = yaml.safe_load((folder / "provisioning/datasources/prometheus.yml").read_text())
    assert source["datasources"][0]["type"] == "prometheus"
