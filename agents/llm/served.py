"""What stands behind an OpenAI-compatible address, as far as it says.

Comes in: the JSON of /v1/models, and of llama.cpp's /props and /lora-adapters. Goes out: Served.
Promise: pure; a body of an unexpected form only means that less is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Any


class Kind(StrEnum):
    """Servers whose own routes are known; they name themselves in /v1/models."""

    VLLM = "vllm"
    LLAMA_CPP = "llamacpp"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Served:
    """One server: its kind, its base model, its adapters and its room."""

    kind: Kind
    model: str | None
    """The model to ask for where the settings name none."""
    adapters: Mapping[str, int]
    """Names of adapters; the number is llama.cpp's own, and the position at other servers."""
    context_tokens: int | None = None
    """Room for prompt and answer together."""
    slots: int | None = None


def read_models(body: Any) -> Served:
    """Read /v1/models: the first model without a parent is the base, those with one adapters."""
    rows = [row for row in _rows(body) if isinstance(row.get("id"), str)]
    owner = str(rows[0].get("owned_by")) if rows else ""
    kind = Kind(owner) if owner in tuple(Kind) else Kind.OTHER
    base = next((row for row in rows if not row.get("parent")), None)
    names = [row["id"] for row in rows if row.get("parent")]
    return Served(
        kind=kind,
        model=_short(base["id"], kind) if base else None,
        adapters={name: position for position, name in enumerate(names)},
        context_tokens=_positive(base.get("max_model_len")) if base else None,
    )


def read_llama_cpp(models: Served, props: Any, adapters: Any) -> Served:
    """Add what llama.cpp says at /props and /lora-adapters; an adapter is named by its file."""
    props = props if isinstance(props, dict) else {}
    settings = props.get("default_generation_settings")
    names = {
        PurePath(row["path"]).stem: row["id"]
        for row in _rows({"data": adapters})
        if isinstance(row.get("path"), str) and isinstance(row.get("id"), int)
    }
    return Served(
        kind=models.kind,
        model=models.model,
        adapters=names,
        context_tokens=_positive(settings.get("n_ctx")) if isinstance(settings, dict) else None,
        slots=_positive(props.get("total_slots")),
    )


def _rows(body: Any) -> list[dict[str, Any]]:
    rows = body.get("data") if isinstance(body, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _short(name: str, kind: Kind) -> str:
    """Return the file's name where llama.cpp gives its whole path, which is nobody's business."""
    return PurePath(name).name if kind is Kind.LLAMA_CPP else name


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
