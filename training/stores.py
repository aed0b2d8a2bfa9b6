"""Where adapters are kept: a folder, or a bucket that speaks S3 (or anything that fsspec knows).

Comes in: keys with slashes, bytes or files. Goes out: the same. Promise: what stands under a key is
whole: it appears at once or not at all, whenever the process is killed; on a disk it has been
synced before it appears.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from streams.errors import ConfigurationError, OpsPilotError


class StoreError(OpsPilotError):
    """The store cannot be read or written; the message says which and why."""


class Store(Protocol):
    """Bytes under keys."""

    def put(self, key: str, content: bytes) -> None:
        """Write at once; raises StoreError."""

    def put_file(self, key: str, file: Path) -> None:
        """Write a file's content at once; raises StoreError."""

    def get(self, key: str) -> bytes | None:
        """Return what stands there, None where nothing does; raises StoreError."""

    def get_file(self, key: str, file: Path) -> None:
        """Write what stands there into `file`; raises StoreError."""

    def size(self, key: str) -> int | None:
        """Return how many bytes stand there; None where nothing does."""

    def keys(self, folder: str) -> list[str]:
        """Return the names right below a folder, sorted."""


def open_store(url: str) -> Store:
    """Return the store at a path or URL such as s3://bucket/adapters; raises ConfigurationError."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return FolderStore(Path(url))
    if scheme == "file":
        return FolderStore(Path(rest))
    try:
        import fsspec
    except ImportError:
        raise ConfigurationError(
            f"adapters in {url} need the package fsspec: run `pip install 'opspilot[training]'`, "
            "or keep them in a folder"
        ) from None
    try:
        system, root = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise ConfigurationError(f"adapters cannot be kept in {url}: {error}") from None
    return ObjectStore(system, root.rstrip("/"))


class FolderStore:
    """A folder; each file is written under a name with a dot, synced, then renamed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, content: bytes) -> None:
        """Write at once."""
        with self._draft(key) as draft:
            draft.path.write_bytes(content)

    def put_file(self, key: str, file: Path) -> None:
        """Write a file's content at once."""
        with self._draft(key) as draft:
            shutil.copyfile(file, draft.path)

    def get(self, key: str) -> bytes | None:
        """Return what stands there."""
        try:
            return (self._root / key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{self._root / key} cannot be read: {error.strerror}") from None

    def get_file(self, key: str, file: Path) -> None:
        """Copy what stands there."""
        try:
            shutil.copyfile(self._root / key, file)
        except OSError as error:
            raise StoreError(f"{self._root / key} cannot be read: {error.strerror}") from None

    def size(self, key: str) -> int | None:
        """Return how many bytes stand there."""
        try:
            return (self._root / key).stat().st_size
        except OSError:
            return None

    def keys(self, folder: str) -> list[str]:
        """Return the names right below a folder; drafts are not there yet."""
        try:
            names = [path.name for path in (self._root / folder).iterdir()]
        except OSError:
            return []
        return sorted(name for name in names if not name.startswith("."))

    def _draft(self, key: str) -> "_Draft":
        return _Draft(self._root / key)


class _Draft:
    """A file on its way to its name."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self.path = target.with_name(f".{target.name}.{os.getpid()}.{uuid4().hex[:8]}")

    def __enter__(self) -> "_Draft":
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self._target.parent} cannot be made: {error.strerror}") from None
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                sync(self.path)
                self.path.replace(self._target)
                sync(self._target.parent)
        except OSError as fault:
            error = fault
        finally:
            self.path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            why = error.strerror or error
            raise StoreError(f"{self._target} cannot be written: {why}") from None


def sync(path: Path) -> None:
    """Have the system write a file, or a folder's names, to the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


class ObjectStore:
    """Anything that fsspec opens; an object of a bucket appears when its upload has ended."""

    def __init__(self, system: Any, root: str) -> None:
        self._system = system
        self._root = root

    def put(self, key: str, content: bytes) -> None:
        """Write one object."""
        with _Told(self._path(key)):
            self._system.pipe_file(self._path(key), content)

    def put_file(self, key: str, file: Path) -> None:
        """Upload one file."""
        with _Told(self._path(key)):
            self._system.put_file(str(file), self._path(key))

    def get(self, key: str) -> bytes | None:
        """Return one object."""
        try:
            with _Told(self._path(key)):
                return bytes(self._system.cat_file(self._path(key)))
        except FileNotFoundError:
            return None

    def get_file(self, key: str, file: Path) -> None:
        """Download one object."""
        try:
            with _Told(self._path(key)):
                self._system.get_file(self._path(key), str(file))
        except FileNotFoundError:
            raise StoreError(f"{self._path(key)} is not there") from None

    def size(self, key: str) -> int | None:
        """Return the object's size."""
        try:
            with _Told(self._path(key)):
                self._system.invalidate_cache()
                return int(self._system.info(self._path(key))["size"])
        except FileNotFoundError:
            return None

    def keys(self, folder: str) -> list[str]:
        """Return the names right below a prefix."""
        try:
            with _Told(self._path(folder)):
                self._system.invalidate_cache()
                found: Iterator[str] = self._system.ls(self._path(folder), detail=False)
        except FileNotFoundError:
            return []
        return sorted(str(path).rstrip("/").rpartition("/")[2] for path in found)

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"


class _Told:
    """Turns what a storage library raises into one sentence; a missing object passes through."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, FileNotFoundError):
            why = " ".join(str(error).split())[:200] or type(error).__name__
            raise StoreError(f"{self._path} cannot be used: {why}") from error
