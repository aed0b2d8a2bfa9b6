"""docker-compose.yml as Docker Compose reads it: variables filled in, merges done.

Comes in: the file, values of variables. Goes out: plain mappings. Covers the syntax that the file
uses: `${NAME:-default}`, one in the default of another, anchors, merge keys, and variables
without a value.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
TRAINERS = {"trainer": "gpu.env", "trainer-cpu": "cpu-learn.env", "trainer-baseline": "learn.env"}
"""Each service that trains, with the file of its profile."""
_VARIABLE = re.compile(r"(?<!\$)\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}")


def compose_file(variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the file with `variables` filled in."""
    given = dict(variables or {})

    def value(found: re.Match[str]) -> str:
        return given.get(found[1]) or found[2] or ""

    return fill(yaml.safe_load(COMPOSE_FILE.read_text()), value, given)


def fill(node: Any, value: Any, given: Mapping[str, str]) -> Any:
    """Fill in one node; a variable without a value stays only where `given` has it."""
    if isinstance(node, str):
        while (filled_in := _VARIABLE.sub(value, node)) != node:
            node = filled_in
        return node
    if isinstance(node, list):
        return [fill(item, value, given) for item in node]
    if not isinstance(node, dict):
        return node
    filled = {}
    for key, item in node.items():
        if key == "environment":
            item = {k: given.get(k) if v is None else v for k, v in item.items()}
            item = {k: v for k, v in item.items() if v is not None}
        filled[key] = fill(item, value, given)
    return filled


def own_services(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the services that run this project's code by its command line."""
    return {
        name: service
        for name, service in document["services"].items()
        if service["image"].startswith("opspilot/") and "command" in service
    }


def env_file(path: Path) -> dict[str, str]:
    """Return the variables of a file of NAME=value lines."""
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}
