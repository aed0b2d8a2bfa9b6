"""What a model under a grammar writes: a JSON value that satisfies the schema, and nothing else."""

import hashlib
from collections.abc import Mapping
from typing import Any


def write_answer(schema: Mapping[str, Any], seed: str) -> Any:
    """Return a value of `schema`, the same for the same seed; choices differ from seed to seed."""
    return _value(schema, schema, seed)


def _value(schema: Mapping[str, Any], root: Mapping[str, Any], seed: str) -> Any:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return _value(root["$defs"][name], root, seed)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][_number(seed) % len(schema["enum"])]
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return _value(schema[word][0], root, seed)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if kind == "object":
        parts = schema.get("properties", {}).items()
        return {name: _value(part, root, f"{seed}/{name}") for name, part in parts}
    if kind == "array":
        length = max(schema.get("minItems", 0), min(2, schema.get("maxItems", 2)))
        items = schema.get("items", {})
        return [_value(items, root, f"{seed}/{position}") for position in range(length)]
    if kind in ("integer", "number"):
        low = schema.get("minimum", 0)
        return low + _number(seed) % max(1, min(9, schema.get("maximum", low + 9) - low + 1))
    if kind == "boolean":
        return _number(seed) % 2 == 0
    return f"Words about {seed.rsplit('/', 1)[-1]}."[: schema.get("maxLength", 200)]


def _number(seed: str) -> int:
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4])
