"""docker-compose.yml under Docker Compose's own loader, without an engine.

It validates the file against the specification, fills in variables and checks that all that is
named exists; and what `composefile` reads must be what it reads.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from composefile import COMPOSE_FILE, ROOT, compose_file, env_file

pytestmark = pytest.mark.deploy

PROFILES = {"": {}} | {
    path.stem: env_file(path) for path in sorted((ROOT / "deploy/compose").glob("*.env"))
}


def loaded(tool: str, variables: dict[str, str], folder: Path) -> dict[str, Any]:
    # From a folder without .env: a developer's own must not change the outcome.
    done = subprocess.run(
        [tool, str(COMPOSE_FILE)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("profile", PROFILES)
def test_the_file_is_what_we_take_it_for(compose_spec: str, profile: str, tmp_path: Path) -> None:
    variables = PROFILES[profile]
    real = loaded(compose_spec, variables, tmp_path)["services"]
    ours = compose_file(variables)["services"]
    chosen = {n for n, s in ours.items() if profile in s.get("profiles", [profile])}
    assert "ingest" in chosen
    assert set(real) == chosen
    for name, service in real.items():
        for key in ("command", "image", "user"):
            assert service.get(key) == ours[name].get(key), f"{name}.{key}"
        assert ("healthcheck" in service) is ("healthcheck" in ours[name])
        given = {k: v for k, v in service.get("environment", {}).items() if v is not None}
        assert given == ours[name].get("environment", {}), name


def test_a_mistake_is_found(compose_spec: str, tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text("services: {a: {image: x, depends_on: [b]}}")
    done = subprocess.run([compose_spec, str(wrong)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert 'undefined service "b"' in done.stderr
