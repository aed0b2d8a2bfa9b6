"""How a Kafka JVM is started: class path, flags, and a class archive that halves its start.

In: a Java runtime, jars, the cache folder. Out: command lines.
Promise: an archive that is missing, stale or of another runtime is ignored, never an error.
"""

import hashlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from opspilot.local.environment import LocalEnvironment
from opspilot.local.jars import Progress, resolve_jars
from opspilot.local.java import Java, find_java
from opspilot.local.lock import committed_lock
from opspilot.local.properties import BrokerProperties, server_properties
from streams.errors import BrokerError, ConfigurationError

# A local broker is short-lived and shares two cores with the stack: the quick compiler and the
# collector without threads of its own use the least of both.
FLAGS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
_QUIET = ("-Xlog:disable", "-Xlog:all=error:stderr")
_AOT_MAJOR = 25
_FORMAT_SECONDS = 60


@dataclass(frozen=True)
class ScramUser:
    """Who may log in with SCRAM from the broker's first start on."""

    name: str
    password: str = field(repr=False)
    mechanism: str = "SCRAM-SHA-256"


@dataclass(frozen=True)
class KafkaRuntime:
    """Everything that one start of Kafka needs of this machine."""

    java: Java
    class_path: tuple[str, ...]
    cache_directory: Path

    @property
    def fingerprint(self) -> str:
        """Return a name for this Java with these jars: what was cached for it is only for it."""
        text = "\0".join([self.java.version_text, str(self.java.program), *self.class_path])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def archive(self) -> Path:
        """Return where the archive of loaded classes is, once one was written."""
        return self.cache_directory / "classes" / f"{self.fingerprint}.archive"

    @property
    def template(self) -> Path:
        """Return where a freshly formatted folder is kept, once it was made."""
        return self.cache_directory / "classes" / f"{self.fingerprint}.metadata"

    def command(
        self, main_class: str, arguments: Sequence[str], heap_mib: int, flags: Sequence[str] = ()
    ) -> list[str]:
        """Return the command line that runs a class of Kafka's."""
        heap = (f"-Xmx{heap_mib}m", f"-Xms{min(64, heap_mib)}m")
        path = os.pathsep.join(self.class_path)
        return [
            *(str(self.java.program), *heap, *FLAGS, *_QUIET, *flags, "-cp", path, main_class),
            *arguments,
        ]

    def archive_flags(self, draft: Path) -> list[str]:
        """Use the archive where there is one, else have the JVM write `draft` at its orderly end.

        Measured: 3.6 s to 1.7 s on Java 17, 3.7 s to 1.3 s on Java 25; writing it takes 3 to 7 s,
        once per machine.
        """
        aot = self.java.major >= _AOT_MAJOR
        if self.archive.exists():
            return [f"-XX:{'AOTCache' if aot else 'SharedArchiveFile'}={self.archive}"]
        return [f"-XX:{'AOTCacheOutput' if aot else 'ArchiveClassesAtExit'}={draft}"]

    def keep_archive(self, draft: Path) -> None:
        """Put a finished draft in its place."""
        try:
            if draft.exists() and draft.stat().st_size > 0:
                self.archive.parent.mkdir(parents=True, exist_ok=True)
                draft.replace(self.archive)
        except OSError:
            # Only a later start's speed is lost.
            return

    def format(self, folder: Path, scram_users: Sequence[ScramUser] = ()) -> None:
        """Have Kafka's own tool format an empty folder; BrokerError quotes it when it does not."""
        folder.mkdir(parents=True)
        settings = folder.with_suffix(".properties")
        broker = BrokerProperties(port=1, controller_port=2, log_directory=str(folder))
        try:
            settings.write_text(server_properties(broker), encoding="latin-1")
            # The identity is of no consequence: each data directory gets one of its own.
            arguments = ["format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", str(settings)]
            for user in scram_users:
                credential = f"{user.mechanism}=[name={user.name},password={user.password}]"
                arguments += ["--add-scram", credential]
            done = subprocess.run(
                self.command("kafka.tools.StorageTool", arguments, heap_mib=128),
                capture_output=True,
                text=True,
                timeout=_FORMAT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise BrokerError(
                f"Kafka's formatter did not end within {_FORMAT_SECONDS} s: "
                "the machine may be overloaded; try again."
            ) from error
        finally:
            settings.unlink(missing_ok=True)
        if done.returncode != 0:
            last = (done.stderr + done.stdout).strip().splitlines()[-3:]
            raise BrokerError(f"Kafka's formatter failed: {' / '.join(last) or 'it said nothing'}")


def find_runtime(environment: LocalEnvironment, progress: Progress | None = None) -> KafkaRuntime:
    """Find Java, and Kafka's jars: those of KAFKA_HOME, else the locked ones.

    ConfigurationError says what is missing and how to get it.
    """
    java = find_java(environment)
    if environment.kafka_home:
        jars = sorted(Path(environment.kafka_home, "libs").glob("*.jar"))
        if not any(jar.name.startswith("kafka_2.") for jar in jars):
            raise ConfigurationError(
                f"KAFKA_HOME={environment.kafka_home} holds no Kafka (no libs/kafka_2.*.jar): "
                "set it to an unpacked Apache Kafka, or unset it."
            )
    else:
        jars = list(
            resolve_jars(
                committed_lock(),
                environment.cache_directory,
                maven_repository=environment.maven_repository,
                progress=progress,
            )
        )
    return KafkaRuntime(java, tuple(str(jar) for jar in jars), environment.cache_directory)
