"""What a handler of a stage is given: one decoded record, or that a key's record was removed.

Comes in: messages of our topics. Goes out: Delivery, Removal. Promise: pure; what cannot be read
raises DecodeError, which names field, value and fault.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Union

from pydantic import Field, TypeAdapter, ValidationError

from schemas.base import Record
from streams.errors import DecodeError

Reader = TypeAdapter[Record]


class Delivery:
    """One decoded record and where it came from."""

    __slots__ = (
        "appended_ms",
        "headers",
        "key",
        "offset",
        "partition",
        "record",
        "traceparent",
        "value",
    )

    def __init__(self, record: Record, message: Any) -> None:
        """`message` is the one that Faust holds the record in."""
        self.record = record
        self.key: bytes = message.key or b""
        self.value: bytes = message.value or b""
        self.appended_ms = int(message.timestamp * 1000)
        """When the broker took it in: our topics carry append time."""
        self.partition: int = message.partition
        self.offset: int = message.offset
        self.headers = dict(message.headers or {})
        self.traceparent: str | None = None
        """The W3C trace context that outputs carry: our own span's, else what came in."""


@dataclass(frozen=True, slots=True)
class Removal:
    """A tombstone: nothing stands under `key` any more."""

    key: bytes
    partition: int
    offset: int


def make_reader(types: Iterable[type[Record]]) -> Reader:
    """Build the validator of a topic's messages, told apart by their field `type`."""
    kinds = tuple(types)
    if len(kinds) == 1:
        return TypeAdapter(kinds[0])
    union: Any = Union[kinds]  # noqa: UP007 - the members are known only at run time
    return TypeAdapter(Annotated[union, Field(discriminator="type")])


def decode(value: bytes | None, reader: Reader) -> Record | None:
    """Read one message; None is a tombstone; raises DecodeError naming field, value and fault."""
    if value is None:
        return None
    try:
        return reader.validate_json(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the message"
        shown = repr(first.get("input"))[:80]
        raise DecodeError("invalid-record", f"{field}={shown}: {first['msg']}") from None
