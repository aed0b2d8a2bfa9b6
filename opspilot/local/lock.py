"""The lock of Kafka's jars: exact coordinates, sizes and digests, and no address.

In: the text of `kafka.lock`, or (to write it anew) coordinates that jgo resolves.
Out: an immutable list of jars. `python -m opspilot.local.lock` rewrites the committed file.
Promise: the same text always gives the same list, in the order of the text.
"""

import hashlib
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from streams.errors import ConfigurationError

KAFKA_VERSION = "4.4.0"
KAFKA = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
# Kafka logs through slf4j but its artifact names no binding: without this one the broker would
# run without a log. Its version is that of the log4j-core which Kafka depends on.
LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5"
HEADER = f"""\
# The jars of Apache Kafka {KAFKA_VERSION}, as `python -m opspilot.local.lock` resolved them.
# One a line: group:artifact:version, size in bytes, SHA-256. Every start checks them.
"""
_LINE = re.compile(r"([\w.-]+):([\w.-]+):([\w.-]+) (\d+) ([0-9a-f]{64})")


@dataclass(frozen=True)
class LockedJar:
    """One jar that may be loaded, and only if its content has this digest."""

    group: str
    artifact: str
    version: str
    size_bytes: int
    sha256: str

    @property
    def coordinate(self) -> str:
        """Return group:artifact:version."""
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def relative_path(self) -> Path:
        """Return where a Maven repository keeps this jar, from the repository's root."""
        name = f"{self.artifact}-{self.version}.jar"
        return Path(*self.group.split("."), self.artifact, self.version, name)


def parse_lock(text: str) -> tuple[LockedJar, ...]:
    """Read a lock; ConfigurationError names the first line that is not a locked jar."""
    jars = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise ConfigurationError(
                f"kafka.lock line {number} is not 'group:artifact:version size sha256': {line!r}; "
                "restore the file, or write it anew with `python -m opspilot.local.lock`."
            )
        group, artifact, version, size, digest = match.groups()
        jars.append(LockedJar(group, artifact, version, int(size), digest))
    return tuple(jars)


def render_lock(jars: Sequence[LockedJar]) -> str:
    """Write a lock that `parse_lock` reads back."""
    lines = [f"{jar.coordinate} {jar.size_bytes} {jar.sha256}" for jar in jars]
    return HEADER + "\n".join(lines) + "\n"


def committed_lock() -> tuple[LockedJar, ...]:
    """Return the jars of the lock that this package ships."""
    return parse_lock((files("opspilot.local") / "kafka.lock").read_text(encoding="utf-8"))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def derive_lock(repository: Path) -> tuple[LockedJar, ...]:
    """Resolve Kafka with all that it needs at run time, and digest what came.

    `repository` receives the downloads. Needs the extra `local` and the network.
    """
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=repository)
    inputs, transitive = context.resolver.resolve([context.create_dependency(KAFKA)])
    # The binding is added by itself: resolved together, its managed versions would override
    # Kafka's, and what it needs (log4j and slf4j's API) is among Kafka's jars already.
    binding = context.create_dependency(LOG_BINDING)
    wanted: list[Any] = [*inputs, *(one for one in transitive if not one.optional), binding]
    jars = []
    for one in wanted:
        path = one.artifact.resolve()
        size = path.stat().st_size
        jars.append(LockedJar(one.groupId, one.artifactId, one.version, size, sha256_of(path)))
    return tuple(sorted(jars, key=lambda jar: jar.coordinate))


def main() -> None:
    """Rewrite the committed lock from what the coordinates resolve to today."""
    target = Path(__file__).with_name("kafka.lock")
    with tempfile.TemporaryDirectory() as directory:
        target.write_text(render_lock(derive_lock(Path(directory))), encoding="utf-8")


if __name__ == "__main__":
    main()
