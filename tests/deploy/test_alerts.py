"""Alerts: each has a page and a test that makes it fire and one in which it must not.

What needs no tool is checked always; promtool runs with `make deploy-check`.
"""

import importlib
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from composefile import ROOT, compose_file
from metricnames import declared, metrics_of

RULES = ROOT / "deploy/prometheus/rules"
TESTS = ROOT / "deploy/prometheus/tests/alerts.yml"
CONFIG = ROOT / "deploy/prometheus/prometheus.yml"
PAGES = ROOT / "docs/runbooks"


def rules(kind: str) -> dict[str, dict[str, Any]]:
    return {
        rule[kind]: rule
        for path in sorted(RULES.glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if kind in rule
    }


ALERTS = rules("alert")
RECORDED = rules("record")


@pytest.mark.parametrize("name", ALERTS)
def test_it_has_a_page_and_says_where(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"
    text = (PAGES / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    for part in ("**What it means.**", "**Check.**", "**Do.**", "**When to worry.**"):
        assert part in text, part
    assert re.search(r"^    \S", text, re.M), "no command to check it with"


def test_every_page_is_of_an_alert() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == set(ALERTS)


def test_operators_find_every_page() -> None:
    text = (ROOT / "docs/OPERATIONS.md").read_text()
    for name in ALERTS:
        assert f"| [{name}](runbooks/{name}.md) |" in text


def test_what_is_said_of_their_number_is_so() -> None:
    for name in ("README.md", "docs/MONITORING.md"):
        assert f"{len(ALERTS)} alerts" in (ROOT / name).read_text(), name


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.md")), ids=lambda path: path.stem)
def test_the_commands_of_a_page_can_be_typed(path: Path) -> None:
    for line in re.findall(r"^    opspilot (.+)$", path.read_text(), re.M):
        first, *words = shlex.split(re.split(r" [#|;] ", f"{line} # ")[0])
        module = importlib.import_module(f"opspilot.commands.{first.replace('-', '_')}")
        command: Any = typer.main.get_command(module.app)
        if hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        # Reads the words and refuses what it does not know; it runs nothing.
        command.make_context(first, words)


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.md")), ids=lambda path: path.stem)
def test_what_a_page_names_exists(path: Path) -> None:
    text = path.read_text()
    for name in re.findall(r"\bOpsPilot[A-Z]\w+", text):
        assert name in ALERTS, name
    for link in re.findall(r"\]\((\.[^)#]+)\)", text):
        assert (path.parent / link).resolve().is_file(), link
    for query in re.findall(r"'query=([^']+)'", text):
        assert metrics_of(query) <= declared() | set(RECORDED), query


@pytest.mark.parametrize("name", [*ALERTS, *RECORDED])
def test_its_metrics_are_declared(name: str) -> None:
    rule = ALERTS.get(name) or RECORDED[name]
    found = metrics_of(rule["expr"])
    assert found, "no metric in it"
    assert found <= declared() | set(RECORDED), found - declared() - set(RECORDED)


def test_what_is_recorded_is_used() -> None:
    users = [rule["expr"] for rule in (*ALERTS.values(), *RECORDED.values())]
    users += [path.read_text() for path in (ROOT / "deploy/grafana/dashboards").glob("*.json")]
    for name in RECORDED:
        assert any(name in text for text in users), name


@pytest.mark.parametrize("name", ALERTS)
def test_it_is_made_to_fire_and_shown_to_be_silent(name: str) -> None:
    cases = [
        case
        for test in yaml.safe_load(TESTS.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["alertname"] == name
    ]
    assert any(case["exp_alerts"] for case in cases)
    assert any(not case["exp_alerts"] for case in cases)


def test_every_process_of_ours_is_scraped() -> None:
    document = compose_file()
    jobs = {job["job_name"]: job for job in yaml.safe_load(CONFIG.read_text())["scrape_configs"]}
    for name, service in document["services"].items():
        ours = service["image"].startswith("opspilot/") and service.get("restart")
        if ours == "unless-stopped" or name in ("tgi", "fluent-bit"):
            aliases = service.get("networks", {}).get("default", {}).get("aliases", [])
            (job,) = aliases or [name]
            (found,) = jobs[job]["dns_sd_configs"]
            assert found["names"] == [job]
            port = 2020 if name == "fluent-bit" else 8080
            assert found["port"] == port


def test_the_stack_mounts_what_the_configuration_names() -> None:
    service = compose_file()["services"]["prometheus"]
    (pattern,) = yaml.safe_load(CONFIG.read_text())["rule_files"]
    assert pattern == "/etc/prometheus/rules/*.yml"
    assert "./deploy/prometheus/rules:/etc/prometheus/rules:ro" in service["volumes"]


@pytest.mark.deploy
def test_promtool_accepts_configuration_and_rules(promtool: str, tmp_path: Path) -> None:
    config = tmp_path / "prometheus.yml"
    config.write_text(CONFIG.read_text().replace("/etc/prometheus/rules", str(RULES)))
    run(promtool, "check", "config", str(config))
    run(promtool, "check", "rules", *map(str, sorted(RULES.glob("*.yml"))))


@pytest.mark.deploy
def test_each_alert_fires_and_stays_silent(promtool: str) -> None:
    run(promtool, "test", "rules", str(TESTS))


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
