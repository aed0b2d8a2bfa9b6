"""The header of a GGUF file: what a model or an adapter says of itself.

Comes in: a path. Goes out: its scalar and text fields by name. Promise: reads the header only, so a
file of any size costs the same; a file that is no GGUF, or ends in its header, is one sentence.
The format is that of ggml (docs/gguf.md), versions 2 and 3, little-endian.
"""

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from streams.errors import ConfigurationError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MOST_FIELDS = 10_000
_STRING, _ARRAY = 8, 9
_CUT_OFF = "it ends in its header"
_LENGTH = struct.Struct("<Q")
# Field type to struct's code: 8- to 32-bit integers, float, bool, 64-bit integers, double.
_SCALARS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of one file; arrays are left out."""

    fields: Mapping[str, Value]

    @property
    def architecture(self) -> str:
        """Return the family of models, such as `gemma3`; empty where the file names none."""
        return str(self.fields.get("general.architecture", ""))

    @property
    def is_adapter(self) -> bool:
        """Say whether this is a LoRA adapter, not a model."""
        return self.fields.get("general.type") == "adapter"

    @property
    def chat_template(self) -> str | None:
        """Return the model's own chat template, if it has one."""
        template = self.fields.get("tokenizer.chat_template")
        return None if template is None else str(template)


def read_header(path: Path) -> Header:
    """Return what the file says of itself; ConfigurationError when it is no readable GGUF file."""
    try:
        with path.open("rb") as stream:
            if stream.read(4) != MAGIC:
                raise ConfigurationError(
                    f"{path} is not a GGUF file (it does not begin with GGUF): name another file"
                )
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return Header(_fields(_Reader(data)))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror or error})") from None
    except (struct.error, _OddError) as error:
        fault = error if isinstance(error, _OddError) else _CUT_OFF
        raise ConfigurationError(
            f"{path} is not a whole GGUF file ({fault}): download or convert it again"
        ) from None


class _OddError(Exception):
    """The header breaks the format."""


class _Reader:
    """Reads values one after the other."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = len(MAGIC)

    def scalar(self, code: str) -> int | float | bool:
        value: int | float | bool = struct.unpack_from("<" + code, self._data, self._at)[0]
        self._at += struct.calcsize("<" + code)
        return value

    def count(self) -> int:
        return int(self.scalar("Q"))

    def text(self) -> str:
        end = self.pass_over(length := self.count())
        return self._data[end - length : end].decode("utf-8", "replace")

    def pass_texts(self, count: int) -> None:
        """Go on behind `count` texts; a vocabulary holds a quarter of a million."""
        data, at, unpack = self._data, self._at, _LENGTH.unpack_from
        for _ in range(count):
            at += _LENGTH.size + unpack(data, at)[0]
        self._at = at

    def pass_over(self, count: int) -> int:
        """Go on behind `count` bytes; returns where that is."""
        if count > len(self._data) - self._at:
            raise _OddError(_CUT_OFF)
        self._at += count
        return self._at


def _fields(reader: _Reader) -> dict[str, Value]:
    version = reader.scalar("I")
    if version not in VERSIONS:
        raise _OddError(f"version {version}, not 2 or 3")
    reader.count()  # tensors, whose table comes after the fields
    count = reader.count()
    if count > MOST_FIELDS:
        raise _OddError(f"{count} fields")
    fields: dict[str, Value] = {}
    for _ in range(count):
        name, kind = reader.text(), int(reader.scalar("I"))
        if kind == _ARRAY:
            _pass_array(reader)
        else:
            fields[name] = reader.text() if kind == _STRING else reader.scalar(_code(kind))
    return fields


def _pass_array(reader: _Reader) -> None:
    kind, count = int(reader.scalar("I")), reader.count()
    if kind == _STRING:
        reader.pass_texts(count)
    else:
        reader.pass_over(count * struct.calcsize("<" + _code(kind)))


def _code(kind: int) -> str:
    try:
        return _SCALARS[kind]
    except KeyError:
        raise _OddError(f"a value of type {kind}") from None
