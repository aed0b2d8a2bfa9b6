"""What the records and topics look like to others: JSON Schema, AsyncAPI 3, and a table.

Comes in: the topic map. Goes out: file names and texts, for `docs/`. Promise: a pure function of
the code, so a test can tell whether what is committed is current.
"""

import json
from collections.abc import Iterable

import yaml

from schemas.base import SCHEMA_VERSION, Record
from schemas.topics import DAY_MS, FOR_EVER, HOUR_MS, TOPICS, WIDTH_SETTINGS, Topic

HEADERS = {
    "ce_specversion": "Version of CloudEvents: 1.0.",
    "ce_type": "opspilot.TYPE.vMAJOR.",
    "ce_source": "/opspilot/STAGE.",
    "ce_id": "Identity of this event, from its content.",
    "ce_time": "When it happened, RFC 3339 in UTC.",
    "content-type": "application/json.",
    "traceparent": "W3C trace context: of the raw batch behind it, or the shipper's own.",
}


def record_types() -> list[type[Record]]:
    """Return every record that some topic carries, by type name."""
    found = {kind.TYPE: kind for topic in TOPICS.values() for kind in topic.records}
    return [found[name] for name in sorted(found)]


def json_schemas() -> dict[str, str]:
    """Return the JSON Schema of each record, by file name below `docs/schemas`."""
    return {
        f"{kind.TYPE}.json": json.dumps(_schema(kind), indent=2) + "\n" for kind in record_types()
    }


def _schema(kind: type[Record]) -> dict[str, object]:
    schema = kind.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def asyncapi() -> str:
    """Return the AsyncAPI 3.0 document of all topics that carry records."""
    carrying = [topic for topic in TOPICS.values() if topic.records]
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "OpsPilot",
            "version": SCHEMA_VERSION,
            "description": "Log lines in, incidents out. Names carry the prefix `opspilot.` "
            "unless OPSPILOT_TOPICS__PREFIX says else.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_ref(topic): _channel(topic) for topic in carrying},
        "operations": {
            f"receive-{_ref(topic)}": {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{_ref(topic)}"},
                "summary": topic.what,
            }
            for topic in carrying
        },
        "components": {"messages": {kind.TYPE: _message(kind) for kind in record_types()}},
    }
    return str(yaml.safe_dump(document, sort_keys=False, width=100, allow_unicode=True))


def _ref(topic: Topic) -> str:
    return topic.short.replace(".", "-")


def _channel(topic: Topic) -> dict[str, object]:
    return {
        "address": f"opspilot.{topic.short}",
        "description": f"{topic.what} Key: {topic.key}.",
        "messages": {
            kind.TYPE: {"$ref": f"#/components/messages/{kind.TYPE}"} for kind in topic.records
        },
    }


def _message(kind: type[Record]) -> dict[str, object]:
    return {
        "name": kind.TYPE,
        "title": kind.__name__,
        "summary": (kind.__doc__ or "").strip().splitlines()[0],
        "headers": {
            "type": "object",
            "properties": {
                name: {"type": "string", "description": what} for name, what in HEADERS.items()
            },
        },
        "payload": {"$ref": f"schemas/{kind.TYPE}.json"},
    }


def topics_page() -> str:
    """Return the table of topics as Markdown."""
    lines = [
        "# Topics",
        "",
        "Made by `opspilot generate` from `schemas/topics.py`. Names carry the prefix `opspilot.`",
        "(`OPSPILOT_TOPICS__PREFIX`). All topics use the broker's append time as their timestamp.",
        "",
        "| topic | key | records | what | partitions | cleanup | kept |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [_row(topic) for topic in TOPICS.values()]
    return "\n".join(lines) + "\n"


def _row(topic: Topic) -> str:
    records = ", ".join(_links(topic.records)) or "as written"
    cells = (
        f"`{topic.short}`",
        topic.key,
        records,
        topic.what,
        f"`{WIDTH_SETTINGS[topic.width]}`" if topic.width in WIDTH_SETTINGS else "1",
        topic.cleanup.value,
        _kept(topic.retention_ms),
    )
    return f"| {' | '.join(cells)} |"


def _links(kinds: Iterable[type[Record]]) -> list[str]:
    return [f"[{kind.__name__}](schemas/{kind.TYPE}.json)" for kind in kinds]


def _kept(retention_ms: int) -> str:
    if retention_ms == FOR_EVER:
        return "for ever"
    if retention_ms % DAY_MS == 0 and retention_ms > DAY_MS:
        return f"{retention_ms // DAY_MS} d"
    return f"{retention_ms // HOUR_MS} h"
