"""GGUF files written for tests: headers to be read, and a LoRA adapter that llama.cpp loads."""

import random
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

ALIGNMENT = 32
RANK = 4
# What an adapter of Gemma 3 270M has to fit: `ffn_down` of each of its layers.
LAYERS, INNER, OUTER = 18, 2_048, 640

Value = str | int | float | Sequence[str] | Sequence[int]
Tensor = tuple[tuple[int, ...], list[float]]


def write_gguf(
    path: Path, fields: Mapping[str, Value], tensors: Mapping[str, Tensor] | None = None
) -> Path:
    """Write a GGUF file, version 3, with these fields and tensors of 32-bit floats."""
    named = tensors or {}
    head = b"GGUF" + struct.pack("<IQQ", 3, len(named), len(fields))
    for name, value in fields.items():
        head += _text(name) + _typed(value)
    data = b""
    for name, (shape, numbers) in named.items():
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        data += struct.pack(f"<{len(numbers)}f", *numbers)
        data += bytes(-len(data) % ALIGNMENT)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name("." + path.name)
    draft.write_bytes(head + bytes(-len(head) % ALIGNMENT) + data)
    return draft.rename(path)


def write_adapter(path: Path, seed: int = 7) -> Path:
    """Write an adapter of Gemma 3 270M that knows nothing and disturbs every answer."""
    chance = random.Random(seed)

    def noise(count: int) -> list[float]:
        return [chance.gauss(0.0, 0.2) for _ in range(count)]

    tensors: dict[str, Tensor] = {}
    for layer in range(LAYERS):
        name = f"blk.{layer}.ffn_down.weight"
        tensors[f"{name}.lora_a"] = ((INNER, RANK), noise(INNER * RANK))
        tensors[f"{name}.lora_b"] = ((RANK, OUTER), noise(RANK * OUTER))
    return write_gguf(path, adapter_fields("gemma3"), tensors)


def adapter_fields(architecture: str) -> dict[str, Value]:
    """Return what makes a file an adapter of a family of models."""
    return {
        "general.architecture": architecture,
        "general.type": "adapter",
        "adapter.type": "lora",
        "adapter.lora.alpha": 8.0,
    }


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _typed(value: Value) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    items = list(value)
    if items and isinstance(items[0], str):
        return struct.pack("<IIQ", 9, 8, len(items)) + b"".join(_text(str(one)) for one in items)
    return struct.pack(f"<IIQ{len(items)}I", 9, 4, len(items), *items)
