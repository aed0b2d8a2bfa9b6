"""Adapters that were trained, whole or not at all.

Comes in: a name, a folder of files, what is known of them. Goes out: Manifests, and files whose
digests were checked. Promise: an adapter is there once its manifest is, which is written last; a
name never changes what it stands for; killed at any moment, it shows no half adapter.
"""

import hashlib
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from schemas.base import EpochMs, Part
from streams.errors import InputError
from training.stores import Store, StoreError, open_store, sync

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}[a-z0-9]")
_ENTRIES = "adapters"
_FILES = "files"
_CHUNK = 1 << 20


class FileEntry(Part):
    """One file of an adapter."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class Facts(Part):
    """What is known of an adapter besides its files."""

    model: str
    """The base model that it adapts."""
    request_id: str | None = None
    passed: bool
    """Whether the gate let it through."""
    reason: str
    """What the gate said."""
    created_ms: EpochMs
    figures: dict[str, float] = Field(default_factory=dict)


class Manifest(Part):
    """One adapter: its files by name and the digest over all of them."""

    name: str
    digest: str
    files: dict[Annotated[str, Field(pattern=r"^[^/\\\\.][^/\\\\]*$")], FileEntry]
    facts: Facts


class Registry:
    """The adapters of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @classmethod
    def at(cls, url: str) -> "Registry":
        """Open the registry in a folder or at a URL; raises ConfigurationError."""
        return cls(open_store(url))

    def publish(self, name: str, folder: Path, facts: Facts) -> Manifest:
        """Take in the files right in `folder` under `name`; the same again changes nothing.

        Raises InputError for a bad name, an empty folder, or a name that stands for other files;
        StoreError where the store cannot be written.
        """
        files = {path.name: path for path in sorted(folder.iterdir()) if _counts(path)}
        if not files:
            raise InputError(f"{folder} holds no files: there is no adapter to publish")
        entries = {file: _entry(path) for file, path in files.items()}
        manifest = Manifest(
            name=_checked(name), digest=digest_of(entries), files=entries, facts=facts
        )
        known = self.find(name)
        if known is not None:
            if known.digest != manifest.digest:
                raise InputError(f"adapter {name} exists with other files: choose another name")
            return known
        for file, path in files.items():
            key = _key(entries[file])
            if self._store.size(key) != entries[file].size:
                self._store.put_file(key, path)
        self._store.put(f"{_ENTRIES}/{name}.json", manifest.to_bytes())
        return manifest

    def find(self, name: str) -> Manifest | None:
        """Return an adapter; None where there is none of that name. Raises StoreError."""
        content = self._store.get(f"{_ENTRIES}/{_checked(name)}.json")
        if content is None:
            return None
        try:
            return Manifest.from_bytes(content)
        except ValidationError as error:
            raise StoreError(f"the manifest of adapter {name} cannot be read: {error}") from None

    def read(self, name: str) -> Manifest:
        """Return an adapter; raises InputError where there is none of that name."""
        manifest = self.find(name)
        if manifest is None:
            raise InputError(f"there is no adapter {name!r}: `opspilot models list` shows them")
        return manifest

    def all(self) -> list[Manifest]:
        """Return all adapters, the newest first."""
        names = [key.removesuffix(".json") for key in self._store.keys(_ENTRIES)]
        found = [manifest for name in names if (manifest := self.find(name)) is not None]
        return sorted(found, key=lambda one: (-one.facts.created_ms, one.name))

    def fetch(self, name: str, folder: Path) -> Path:
        """Return `folder/NAME` with the adapter's files, fetched and checked where it is not there.

        Raises InputError for an unknown name, StoreError for files that are not what they should.
        """
        manifest = self.read(name)
        target = folder / name
        if target.is_dir() and _digest_on_disk(target) == manifest.digest:
            return target
        draft = folder / f".{name}.draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        for file, entry in manifest.files.items():
            self._store.get_file(_key(entry), draft / file)
            if _entry(draft / file) != entry:
                raise StoreError(f"{file} of adapter {name} is damaged: publish it anew")
            sync(draft / file)
        shutil.rmtree(target, ignore_errors=True)
        draft.replace(target)
        return target

    def read_file(self, name: str, file: str) -> bytes | None:
        """Return one file of an adapter; None where it has none of that name."""
        entry = self.read(name).files.get(file)
        return None if entry is None else self._store.get(_key(entry))


def digest_of(entries: Mapping[str, FileEntry]) -> str:
    """Return one SHA-256 over the names and digests of all files."""
    lines = "".join(f"{entries[name].sha256}  {name}\n" for name in sorted(entries))
    return hashlib.sha256(lines.encode()).hexdigest()


def _digest_on_disk(folder: Path) -> str:
    files = sorted(path for path in folder.iterdir() if _counts(path))
    return digest_of({path.name: _entry(path) for path in files})


def _counts(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _entry(path: Path) -> FileEntry:
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return FileEntry(sha256=digest.hexdigest(), size=size)


def _key(entry: FileEntry) -> str:
    return f"{_FILES}/{entry.sha256}"


def _checked(name: str) -> str:
    if NAME.fullmatch(name) is None:
        raise InputError(
            f"adapter name {name!r}: use 2 to 64 small letters, digits, dots, dashes and "
            "underscores, beginning and ending with a letter or digit"
        )
    return name
