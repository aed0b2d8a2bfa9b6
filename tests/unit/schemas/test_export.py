"""What docs/ says of records, topics and settings is what the code says."""

import json
from pathlib import Path

import pytest
import yaml

from opspilot.commands.generate import files
from schemas.export import asyncapi, json_schemas, record_types
from schemas.topics import TOPICS

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", files())
def test_what_is_committed_is_current(name: str):
    assert (DOCS / name).read_text(encoding="utf-8") == files()[name], "run `opspilot generate`"


def test_no_schema_is_left_of_a_record_that_is_gone():
    assert {path.name for path in (DOCS / "schemas").iterdir()} == set(json_schemas())


def test_every_reference_of_a_schema_leads_somewhere():
    for name, text in json_schemas().items():
        schema = json.loads(text)
        for reference in references(schema):
            assert reference.removeprefix("#/$defs/") in schema["$defs"], f"{name}: {reference}"


def references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [r for one in value.values() for r in references(one)]
    if isinstance(value, list):
        return [r for one in value for r in references(one)]
    return []


def test_schemas_speak_of_the_wire():
    schema = json.loads(json_schemas()["incident.json"])
    assert "openedMs" in schema["properties"]
    assert "opened_ms" not in schema["properties"]
    assert schema["$schema"].endswith("2020-12/schema")


def test_the_asyncapi_document_holds_together():
    document = yaml.safe_load(asyncapi())
    assert document["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(document["info"])
    messages = document["components"]["messages"]
    assert set(messages) == {kind.TYPE for kind in record_types()}
    carrying = [topic for topic in TOPICS.values() if topic.records]
    channels = document["channels"]
    assert {channel["address"] for channel in channels.values()} == {
        f"opspilot.{topic.short}" for topic in carrying
    }
    for channel in channels.values():
        for message in channel["messages"].values():
            assert message["$ref"].removeprefix("#/components/messages/") in messages
    for operation in document["operations"].values():
        assert operation["action"] in {"send", "receive"}
        assert operation["channel"]["$ref"].removeprefix("#/channels/") in channels
    for message in messages.values():
        assert (DOCS / message["payload"]["$ref"]).is_file()
        assert message["headers"]["type"] == "object"
