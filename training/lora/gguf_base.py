"""A GGUF file as a folder that transformers loads: made once, then found.

Comes in: a GGUF file, a cache folder. Goes out: a folder with weights as safetensors and the
tokenizer. Promise: the folder's name follows from the file's content; it is there whole or not at
all; two processes may make it at once.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from streams.errors import ConfigurationError
from training.lora.gguf_tokenizer import read_tokenizer

_DIGESTED_BYTES = 1 << 20
_VERSION = 2
"""Rises when a file is converted in another way: what was made before is then made anew."""
_QUANTIZED_MARKS = {"hf_quantizer": None, "is_quantized": False, "quantization_method": None}
"""What transformers still holds to be true of a model whose weights are whole again."""


def convert_base(file: Path, cache: Path, say: Callable[[str], None]) -> Path:
    """Return the folder of `file`'s model, made now if need be; raises ConfigurationError."""
    folder = cache / f"{file.stem}-{_stamp(file)}"
    if folder.is_dir():
        return folder
    say(f"converting {file.name} once: a minute or two, and memory for the whole model")
    draft = cache / f".{folder.name}.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    try:
        _convert(file, draft)
        draft.rename(folder)
    except OSError as error:
        if folder.is_dir():  # another process was faster
            return folder
        raise ConfigurationError(
            f"{file} cannot be converted in {cache} ({error}): make room there, or name another "
            "base in OPSPILOT_TRAINING__BASE"
        ) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _convert(file: Path, folder: Path) -> None:
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call, unused-ignore]
    source: dict[str, Any] = {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name}
    tokenizer = read_tokenizer(file) or AutoTokenizer.from_pretrained(**source)
    model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.bfloat16)
    for name, value in _QUANTIZED_MARKS.items():
        if hasattr(model, name):
            setattr(model, name, value)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _stamp(file: Path) -> str:
    """Return a short digest of the file's size and its two ends: its fields and its last tensor."""
    size = file.stat().st_size
    digest = hashlib.sha256(f"{_VERSION} {size}".encode())
    with file.open("rb") as stream:
        digest.update(stream.read(_DIGESTED_BYTES))
        stream.seek(max(0, size - _DIGESTED_BYTES))
        digest.update(stream.read())
    return digest.hexdigest()[:12]
