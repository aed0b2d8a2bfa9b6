"""The data directory of a local Kafka: locked, formatted, with room left on its disk.

In: a folder of the person's choice. Out: the folder made ready, its lock held.
Promise: two brokers never share a folder; what is in it is kept; a folder that holds something
else or is damaged is refused, never repaired or emptied.
"""

import base64
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from opspilot.local.properties import meta_properties
from streams.errors import BrokerError, ConfigurationError

MINIMUM_FREE_BYTES = 256 * 1024 * 1024
LOCK_PATIENCE_SECONDS = 2.0


class DataDirectory:
    """The folder: `logs/` is Kafka's, `broker.log` and the rest stand beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"
        self.broker_log = self.path / "broker.log"
        self.console_log = self.path / "broker.out"
        self.lock_descriptor: int | None = None

    def acquire(self) -> None:
        """Make the folder and lock it; BrokerError names the process that has it already.

        The descriptor is to be passed on to the broker: the lock then lasts until both this
        process and the broker are gone.
        """
        if "," in str(self.logs):
            raise ConfigurationError(
                f"Kafka's data directory {self.path} has a comma in its name, which Kafka reads as "
                "two directories: name another one."
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ConfigurationError(
                f"Kafka's data directory {self.path} cannot be used ({error.strerror}): "
                "mend its rights, or name another one."
            ) from error
        if not _lock(descriptor):
            holder = os.read(descriptor, 200).decode("utf-8", "replace").strip()
            os.close(descriptor)
            raise BrokerError(
                f"Kafka's data directory {self.path} is in use by {holder or 'another process'}: "
                "stop that one first, or name another data directory."
            )
        self.lock_descriptor = descriptor
        self.note(f"process {os.getpid()}")

    def note(self, holder: str) -> None:
        """Write into the lock who holds it, for the one who finds it held."""
        assert self.lock_descriptor is not None
        os.ftruncate(self.lock_descriptor, 0)
        os.pwrite(self.lock_descriptor, holder.encode(), 0)

    def release(self) -> None:
        """Give this process's hold of the lock back."""
        if self.lock_descriptor is not None:
            os.close(self.lock_descriptor)
            self.lock_descriptor = None

    def check_space(self, minimum_bytes: int = MINIMUM_FREE_BYTES) -> None:
        """BrokerError when the disk has less room than a broker needs to start."""
        free_bytes = shutil.disk_usage(self.path).free
        if free_bytes < minimum_bytes:
            raise BrokerError(
                f"the disk of {self.path} is full ({free_bytes // 2**20} MiB free, Kafka wants "
                f"{minimum_bytes // 2**20} MiB): free some space, or name a data directory on "
                "another disk."
            )

    def is_formatted(self) -> bool:
        """Say whether Kafka has been here; BrokerError when the folder is damaged or foreign."""
        if not self.logs.exists():
            return False
        try:
            names = {entry.name for entry in self.logs.iterdir()}
            card = (self.logs / "meta.properties").read_text(encoding="utf-8")
        except FileNotFoundError:
            card = ""
        except (OSError, UnicodeDecodeError, NotADirectoryError):
            names, card = {"logs"}, ""
        if not names:
            return False
        fields = dict(line.partition("=")[::2] for line in card.splitlines())
        if fields.get("version") != "1" or not fields.get("cluster.id") or "node.id" not in fields:
            raise BrokerError(
                f"Kafka's data directory {self.logs} is damaged (no usable meta.properties): "
                "move it away and start again; Kafka begins anew with an empty one."
            )
        return True

    def format(self, template: Path) -> None:
        """Give an empty folder the first metadata of `template` and an identity of its own.

        Into place in one step: a kill in the middle leaves no half-formatted folder.
        """
        draft = self.path / "logs.draft"
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(template, draft)
        card = meta_properties(new_kafka_id(), new_kafka_id())
        (draft / "meta.properties").write_text(card, encoding="utf-8")
        draft.replace(self.logs)


def _lock(descriptor: int) -> bool:
    """Take the lock; a broker that is just ending gets a moment to let go of it.

    A killed JVM counts as gone before the last of its threads has closed the descriptor.
    """
    deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(LOCK_PATIENCE_SECONDS / 20)
        else:
            return True


def cached_template(path: Path, make: Callable[[Path], None]) -> Path:
    """Return a folder as Kafka's own formatter leaves it, made once per version of Kafka.

    What counts in it is the first metadata snapshot: feature levels, nothing of a cluster. So
    `make`, which formats an empty folder in 1.5 s, need not run for each new data directory.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.parent / f"format-{uuid.uuid4().hex}"
        try:
            make(scratch)
            scratch.replace(path)
        except OSError:
            # Two processes made it at the same time: either is good.
            if not path.exists():
                raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return path


def new_kafka_id() -> str:
    """Return a random id in Kafka's form: 16 bytes, URL-safe base64 that starts with no dash."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text
