"""JSON lines as objects, each with the place it stands at.

Comes in: lines and the name of their file. Goes out: pairs of place and object. Promise: a line
that is no JSON object, or a file without any, is an InputError that says where.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from streams.errors import InputError


def read_objects(
    lines: Iterable[str], name: str, what: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield `("FILE, line N", object)`; `what` is what the file should hold, in the plural."""
    empty = True
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        try:
            fields: Any = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{where}: not JSON ({error.msg}).") from None
        if not isinstance(fields, dict):
            raise InputError(f"{where}: must be a JSON object, not {line.strip()[:40]!r}.")
        empty = False
        yield where, fields
    if empty:
        raise InputError(f"{name} holds no {what}: give a file of JSON lines.")
