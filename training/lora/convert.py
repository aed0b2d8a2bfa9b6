"""A peft adapter as a GGUF file that llama.cpp loads beside its base.

Comes in: a folder that peft has saved, the base's config. Goes out: one file. Promise: written
under another name and moved into place; an architecture whose tensors this project does not know
is refused in one sentence. The format: `general.type` adapter, `adapter.lora.alpha`, and for each
weight W of the base two tensors W.lora_a (rank, in) and W.lora_b (out, rank); see docs of ggml.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.numpy import load_file

from streams.errors import InputError

_NAME = re.compile(r"\.layers\.(\d+)\.(?:self_attn|mlp)\.(\w+)\.lora_([AB])\.weight$")
_WEIGHTS = {
    "q_proj": "attn_q",
    "k_proj": "attn_k",
    "v_proj": "attn_v",
    "o_proj": "attn_output",
    "qkv_proj": "attn_qkv",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}
ARCHITECTURES = {
    "gemma": "gemma",
    "gemma2": "gemma2",
    "gemma3_text": "gemma3",
    "gemma3": "gemma3",
    "llama": "llama",
    "mistral": "llama",
    "phi3": "phi3",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
}
"""What transformers calls a family, and what llama.cpp does."""
_PAIRED = {"llama"}
"""llama.cpp turns (RoPE) neighbours of a head in these, transformers its two halves."""


def write_gguf(adapter: Path, config: Any, file: Path) -> None:
    """Write the adapter in the folder `adapter` as `file`; raises InputError.

    `config` is the base's transformers config.
    """
    architecture = ARCHITECTURES.get(config.model_type)
    if architecture is None:
        known = ", ".join(sorted(ARCHITECTURES))
        raise InputError(
            f"the base is a {config.model_type}, for which no GGUF adapter can be written: "
            f"use one of {known}, or another backend"
        )
    settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    tensors = load_file(adapter / "adapter_model.safetensors")
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    writer = gguf.GGUFWriter(draft, architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(_alpha(settings)))
    for name in sorted(tensors):
        written, values = _tensor(name, tensors[name], architecture, config)
        # Half the bytes; llama.cpp computes the same with it.
        writer.add_tensor(written, np.ascontiguousarray(values, dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    draft.replace(file)


def _alpha(settings: dict[str, Any]) -> float:
    """Return the alpha that llama.cpp, which divides it by the rank, makes peft's scale of."""
    if settings.get("use_dora") or settings.get("alpha_pattern") or settings.get("rank_pattern"):
        raise InputError("the adapter is no plain LoRA: train it without DoRA and patterns")
    rank = settings["r"]
    scale = settings["lora_alpha"] / (rank**0.5 if settings.get("use_rslora") else rank)
    return float(scale * rank)


def _tensor(
    name: str, values: np.ndarray[Any, Any], architecture: str, config: Any
) -> tuple[str, np.ndarray[Any, Any]]:
    match = _NAME.search(name)
    if match is None or match.group(2) not in _WEIGHTS:
        raise InputError(f"the adapter holds {name}, which has no place in a GGUF adapter")
    layer, part, side = match.groups()
    if side == "B" and architecture in _PAIRED and part in ("q_proj", "k_proj"):
        heads = config.num_attention_heads if part == "q_proj" else config.num_key_value_heads
        values = interleave(values, heads)
    return f"blk.{layer}.{_WEIGHTS[part]}.weight.lora_{side.lower()}", values


def interleave(values: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """Return rows (out, rank) so that the two halves of each head alternate."""
    size, rank = values.shape[0] // heads, values.shape[1]
    halves = values.reshape(heads, 2, size // 2, rank)
    return halves.transpose(0, 2, 1, 3).reshape(values.shape)
