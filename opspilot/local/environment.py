"""What the local stack takes from the environment, read once and frozen.

In: a mapping like `os.environ`. Out: paths and addresses; nothing is checked or created here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LocalEnvironment:
    """Where Java, Kafka and the cache are, as far as the environment says."""

    cache_directory: Path
    search_path: str = ""
    java_home: str | None = None
    kafka_home: str | None = None
    maven_repository: Path | None = None

    @classmethod
    def read(cls, environ: Mapping[str, str], home: Path) -> "LocalEnvironment":
        """Read JAVA_HOME, KAFKA_HOME, PATH, XDG_CACHE_HOME and M2_REPO."""
        cache = environ.get("XDG_CACHE_HOME")
        maven = environ.get("M2_REPO")
        return cls(
            cache_directory=(Path(cache) if cache else home / ".cache") / "opspilot",
            search_path=environ.get("PATH", ""),
            java_home=environ.get("JAVA_HOME") or None,
            kafka_home=environ.get("KAFKA_HOME") or None,
            maven_repository=Path(maven) if maven else home / ".m2" / "repository",
        )
