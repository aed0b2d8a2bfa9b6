"""The schemas that servers enforce: only words that all of them read."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from agents.logic.answers.schemas import classify_schema, plan_schema

UNDERSTOOD = {
    "type", "properties", "required", "additionalProperties", "enum", "items", "maxItems",
    "minItems", "maxLength", "minimum", "maximum",
}  # fmt: skip
SCHEMAS = [classify_schema(), plan_schema(["P1", "P2"])]


def _objects(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield schema
    for inner in schema.get("properties", {}).values():
        yield from _objects(inner)
    if "items" in schema:
        yield from _objects(schema["items"])


@pytest.mark.parametrize("schema", SCHEMAS)
def test_only_what_all_servers_read(schema: Mapping[str, Any]) -> None:
    assert schema["properties"]
    for part in _objects(schema):
        assert set(part) <= UNDERSTOOD
        assert isinstance(part["type"], str)
        if part["type"] == "object":
            assert part["required"] == list(part["properties"])
            assert part["additionalProperties"] is False
        if part["type"] == "string":
            assert "enum" in part or part["maxLength"] > 0
        if part["type"] == "array":
            assert part["maxItems"] > 0
    assert json.loads(json.dumps(schema)) == schema


def test_a_plan_without_passages_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="passage"):
        plan_schema([])
