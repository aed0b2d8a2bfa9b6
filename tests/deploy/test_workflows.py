"""The workflows: least privilege, pinned, and the same make targets as people use."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from composefile import ROOT

FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
WRITERS = {
    "ci.yml": {"image": {"security-events"}},
    "scan.yml": {"code": {"security-events"}},
    "release.yml": {
        "ci": {"security-events"},
        "images": {"packages", "id-token", "attestations"},
        "chart": {"packages"},
        "release": {"contents"},
    },
}


def load(path: Path) -> dict[str, Any]:
    document = yaml.load(path.read_text(), yaml.BaseLoader)
    assert isinstance(document, dict)
    return document


@pytest.mark.deploy
def test_actionlint(actionlint: str) -> None:
    done = subprocess.run(
        [actionlint, "-no-color", *map(str, FILES)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_each_job_may_write_no_more_than_it_must(path: Path) -> None:
    document = load(path)
    assert document["permissions"] == {"contents": "read"}
    for name, job in document["jobs"].items():
        given = {k for k, v in job.get("permissions", {}).items() if v == "write"}
        assert given == WRITERS[path.name].get(name, set()), name


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_each_job_ends_and_each_action_is_pinned(path: Path) -> None:
    for name, job in load(path)["jobs"].items():
        assert "timeout-minutes" in job or "uses" in job, name
        assert job.get("runs-on", "ubuntu-24.04") == "ubuntu-24.04"
        for step in job.get("steps", ()):
            action = step.get("uses", "")
            assert not action or re.search(r"@(v\d+(\.\d+){0,2}|[0-9a-f]{40})$", action), action
            if action.startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] == "false"


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_no_script_holds_what_others_may_write(path: Path) -> None:
    for job in load(path)["jobs"].values():
        for step in job.get("steps", ()):
            assert "${{ github." not in step.get("run", ""), "pass it as an environment variable"


def test_they_call_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    called = set()
    for path in FILES:
        called |= set(re.findall(r"run: make ([a-z-]+)", path.read_text()))
    assert {"test", "deploy-check", "deploy-tools"} <= called <= targets


def test_images_have_provenance_and_a_bill_of_materials() -> None:
    steps = load(ROOT / ".github/workflows/release.yml")["jobs"]["images"]["steps"]
    (push,) = [s for s in steps if s.get("uses", "").startswith("docker/build-push-action")]
    assert push["with"]["provenance"] == "mode=max"
    assert push["with"]["sbom"] == "true"
    assert any("attest-build-provenance" in s.get("uses", "") for s in steps)
