"""An answer cut to the schema that was asked for.

Comes in: a JSON value and the schema. Goes out: the nearest value that the schema allows. Promise:
pure; only the words that the answers' schemas use are read: properties, required, enum, maxLength,
minItems, maxItems, minimum, maximum.
"""

from collections.abc import Mapping
from typing import Any

_EMPTY: Mapping[str, Any] = {
    "string": "", "integer": 0, "number": 0, "boolean": False, "array": [], "object": {},
}  # fmt: skip


def conform(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return `value` as `schema` allows it: cut, clamped, without properties it does not name."""
    choices = schema.get("enum")
    if choices:
        return value if value in choices else choices[0]
    if isinstance(value, str):
        return value[: schema.get("maxLength", len(value))]
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return min(max(value, schema.get("minimum", value)), schema.get("maximum", value))
    if isinstance(value, list | tuple):
        items = schema.get("items", {})
        return [conform(item, items) for item in value][: schema.get("maxItems", len(value))]
    if isinstance(value, Mapping):
        return {
            name: conform(value[name] if name in value else _EMPTY.get(part.get("type", "")), part)
            for name, part in schema.get("properties", {}).items()
            if name in value or name in schema.get("required", ())
        }
    return value
