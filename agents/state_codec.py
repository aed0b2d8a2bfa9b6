"""How a state value stands in a changelog: eight bytes of position, then the state as JSON.

Comes in: a position and bytes. Goes out: one value, or both parts again. Promise: the position can
be read without reading the state, so recovery can keep the higher of two values cheaply.
"""

import struct

_POSITION = struct.Struct(">q")


def pack(position: int, body: bytes) -> bytes:
    """Join position and state."""
    return _POSITION.pack(position) + body


def unpack(value: bytes) -> tuple[int, bytes]:
    """Split a value into position and state."""
    return position_of(value), value[_POSITION.size :]


def position_of(value: bytes) -> int:
    """Return the position of a value."""
    position: int = _POSITION.unpack_from(value)[0]
    return position
