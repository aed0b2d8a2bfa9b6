"""Terraform's files: form, validity with the real AWS provider, and that they fit the chart."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from composefile import ROOT

from opspilot.acls import READS, TRAINER

FOLDER = ROOT / "deploy/terraform"
PLUGINS = Path(os.environ.get("TERRAFORM_PLUGINS", "/opt/tf-plugins"))
PROVIDER = "registry.terraform.io/hashicorp/aws"


def call(terraform: str, data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [terraform, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_DATA_DIR": str(data), "TF_IN_AUTOMATION": "1"},
    )


@pytest.mark.deploy
def test_form(terraform: str, tmp_path: Path) -> None:
    done = call(terraform, tmp_path, "fmt", "-check", "-recursive", "-diff", str(FOLDER))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.deploy
def test_aws_is_valid(terraform: str, tmp_path: Path) -> None:
    folder = tmp_path / "aws"
    folder.mkdir()
    for path in (FOLDER / "aws").glob("*.tf"):
        (folder / path.name).write_text(path.read_text())
    where = [f"-plugin-dir={PLUGINS}"] if (PLUGINS / PROVIDER).is_dir() else []
    chdir = f"-chdir={folder}"
    done = call(terraform, tmp_path / "data", chdir, "init", "-backend=false", *where)
    if done.returncode:
        pytest.fail(
            f"no AWS provider: none under {PLUGINS} (TERRAFORM_PLUGINS names another folder), "
            f"and it cannot be fetched: {done.stderr[-500:]}"
        )
    done = call(terraform, tmp_path / "data", chdir, "validate", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr


def variables(name: str) -> set[str]:
    text = (FOLDER / name / "variables.tf").read_text()
    return set(re.findall(r'^variable "(\w+)"', text, re.M))


@pytest.mark.parametrize("name", ["aws", "release"])
def test_every_variable_is_used_and_declared(name: str) -> None:
    used = set()
    for path in (FOLDER / name).glob("*.tf"):
        used |= set(re.findall(r"\bvar\.(\w+)", path.read_text()))
    assert used == variables(name)


def test_what_is_handed_on_is_an_output() -> None:
    outputs = set(re.findall(r'^output "(\w+)"', (FOLDER / "aws/outputs.tf").read_text(), re.M))
    asked = {"cluster_name", "kafka_bootstrap", "kafka_secrets", "roles", "adapters_bucket"}
    assert asked <= outputs
    assert asked <= variables("release")


def test_there_is_a_kafka_user_per_stage() -> None:
    users = re.search(r'default\s*= \[("ingest".*)\]', (FOLDER / "aws/variables.tf").read_text())
    assert users
    named = set(re.findall(r'"([^"]+)"', users[1]))
    assert named == {*READS, "topics", "fluent-bit"}
    stages = re.search(r"toset\(\[(.*)\]\)", (FOLDER / "release/main.tf").read_text())
    assert stages
    assert set(re.findall(r'"([^"]+)"', stages[1])) == set(READS) - {TRAINER}


def test_accounts_with_roles_are_those_of_the_chart() -> None:
    text = (FOLDER / "aws/roles.tf").read_text()
    names = set(re.findall(r'name = "(opspilot-\w+)"', text))
    release = (FOLDER / "release/main.tf").read_text()
    assert re.search(r'name\s+= "opspilot"\n\s+chart', release), "the chart names accounts by it"
    templates = ROOT / "deploy/helm/opspilot/templates"
    for name in names:
        part = name.removeprefix("opspilot-")
        text = (templates / f"{part}.yaml").read_text()
        assert f'printf "%s-{part}" (include "opspilot.name" .)' in text
        assert "serviceAccountAnnotations" in text
        assert f'var.roles["{part}"]' in release


def test_what_the_release_sets_of_the_chart_is_there() -> None:
    release = (FOLDER / "release/main.tf").read_text()
    values = yaml.safe_load((ROOT / "deploy/helm/opspilot/values.yaml").read_text())
    block = re.search(r"trainer = \{\n(.*?)\n    \}\n", release, re.S)
    assert block
    assert set(re.findall(r"^      (\w+)", block[1], re.M)) <= set(values["trainer"])


def test_no_password_can_reach_the_state() -> None:
    text = (FOLDER / "aws/kafka.tf").read_text()
    assert 'ephemeral "aws_secretsmanager_random_password"' in text
    assert not re.search(r"\bsecret_string\s*=", text)
    assert "data_wo " in (FOLDER / "release/main.tf").read_text()
