"""Kafka's jars on this machine: found in the cache, else fetched by coordinates.

In: the lock and a cache folder. Out: paths of jars whose content has the locked digest.
Promise: no jar is returned that was not digested once since it last changed; an interrupted
or tampered download is never used; several processes may ask at once (one fetches).
"""

import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

from opspilot.local.lock import LockedJar, sha256_of
from streams.errors import ConfigurationError, OpsPilotError

Progress = Callable[[int, int, str], None]
"""Called with bytes done, bytes in all, and the name of the jar that was just finished."""

Fetch = Callable[[LockedJar, Path], Path]
"""Brings one jar into an empty folder and returns its path; raises on failure."""

PARALLEL_DOWNLOADS = 6
_MARKER = "verified.json"


def resolve_jars(
    lock: Sequence[LockedJar],
    cache_directory: Path,
    *,
    maven_repository: Path | None = None,
    fetch: Fetch | None = None,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Return the path of every locked jar, in the order of the lock.

    A jar is taken from the cache, else copied from `maven_repository` (read only), else fetched.
    ConfigurationError says which jar could not be had, why, and what to do.
    """
    cache = _JarCache(cache_directory / "jars")
    missing = [jar for jar in lock if not cache.holds(jar)]
    if missing:
        _make_directory(cache.directory)
        with (cache.directory / "lock").open("w") as handle:
            flock(handle, LOCK_EX)
            cache.reload()
            _bring(lock, cache, maven_repository, fetch or fetch_by_coordinate, progress)
    return tuple(cache.path(jar) for jar in lock)


def fetch_by_coordinate(jar: LockedJar, folder: Path) -> Path:
    """Download one jar with jgo, from Maven Central or the repositories of jgo's own settings."""
    try:
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import MavenContext
    except ImportError as error:
        raise ConfigurationError(
            "Kafka's jars cannot be fetched because jgo is not installed: "
            "run `pip install 'opspilot[local]'`, or name a broker with --kafka HOST:PORT."
        ) from error
    repositories = {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}
    context = MavenContext(repo_cache=folder, remote_repos=repositories, timeout=30)
    fetched: Any = context.create_dependency(jar.coordinate).artifact.resolve()
    return Path(fetched)


@dataclass
class _JarCache:
    """The folder of jars and its note of what was digested: size and time of change by path."""

    directory: Path
    verified: dict[str, list[int]] = field(default_factory=dict)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.reload()

    def reload(self) -> None:
        """Read the note again; a damaged note only means that jars are digested again."""
        try:
            noted = json.loads((self.directory / _MARKER).read_text(encoding="utf-8"))
            self.verified = {str(k): [int(v[0]), int(v[1])] for k, v in noted.items()}
        except (OSError, ValueError, AttributeError, TypeError, IndexError):
            self.verified = {}

    def path(self, jar: LockedJar) -> Path:
        return self.directory / jar.relative_path

    def holds(self, jar: LockedJar) -> bool:
        """Say whether the jar is there, unchanged since its digest was found right."""
        stamp = _stamp(self.path(jar))
        return stamp is not None and self.verified.get(_key(jar)) == stamp

    def admit(self, jar: LockedJar) -> bool:
        """Digest the jar where it lies and note it if it is the locked one."""
        path = self.path(jar)
        stamp = _stamp(path)
        if stamp is None or stamp[0] != jar.size_bytes or sha256_of(path) != jar.sha256:
            return False
        with self._mutex:
            self.verified[_key(jar)] = stamp
        return True

    def save(self) -> None:
        """Write the note in one step, so that no reader sees half of it."""
        draft = self.directory / f"{_MARKER}.draft"
        draft.write_text(json.dumps(self.verified), encoding="utf-8")
        draft.replace(self.directory / _MARKER)


def _bring(
    lock: Sequence[LockedJar],
    cache: _JarCache,
    maven_repository: Path | None,
    fetch: Fetch,
    progress: Progress | None,
) -> None:
    total_bytes = sum(jar.size_bytes for jar in lock)
    done_bytes = 0
    with ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
        waiting = {pool.submit(_bring_one, jar, cache, maven_repository, fetch) for jar in lock}
        try:
            for future in as_completed(waiting):
                jar = future.result()
                done_bytes += jar.size_bytes
                if progress is not None:
                    progress(done_bytes, total_bytes, jar.artifact)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            cache.save()


def _bring_one(
    jar: LockedJar, cache: _JarCache, maven_repository: Path | None, fetch: Fetch
) -> LockedJar:
    if cache.holds(jar) or cache.admit(jar):
        return jar
    target = cache.path(jar)
    _make_directory(target.parent)
    if maven_repository is not None and _is_locked(maven_repository / jar.relative_path, jar):
        _copy(maven_repository / jar.relative_path, target)
        if cache.admit(jar):
            return jar
    with tempfile.TemporaryDirectory(dir=cache.directory, prefix="fetch-") as folder:
        try:
            fetched = fetch(jar, Path(folder))
            # Into place in one step: a kill in the middle leaves no half jar behind.
            fetched.replace(target)
        except OpsPilotError:
            raise
        except Exception as error:
            raise ConfigurationError(
                f"{jar.coordinate} could not be fetched ({_first_line(error)}): check the network, "
                "or name a mirror as `central` under [repositories] in ~/.config/jgo.conf, "
                "or set KAFKA_HOME, or use --kafka HOST:PORT."
            ) from error
    if not cache.admit(jar):
        actual = sha256_of(target)
        target.unlink()
        raise ConfigurationError(
            f"{jar.coordinate} came with SHA-256 {actual}, but kafka.lock says {jar.sha256}: "
            "the repository serves something else; nothing of it was kept."
        )
    return jar


def _is_locked(path: Path, jar: LockedJar) -> bool:
    stamp = _stamp(path)
    return stamp is not None and stamp[0] == jar.size_bytes and sha256_of(path) == jar.sha256


def _copy(source: Path, target: Path) -> None:
    draft = target.with_suffix(".draft")
    shutil.copyfile(source, draft)
    draft.replace(target)


def _stamp(path: Path) -> list[int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def _key(jar: LockedJar) -> str:
    # The digest is part of the key: a new lock never trusts what an old one admitted.
    return f"{jar.relative_path}#{jar.sha256}"


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the cache folder {path} cannot be made ({error.strerror}): "
            "set XDG_CACHE_HOME to a folder that you may write."
        ) from error


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:200]
