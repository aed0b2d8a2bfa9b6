"""An embedded broker: Apache Kafka itself, one KRaft node, as a child of this process.

In: a data directory and how to run Kafka. Out: a bootstrap address that answers.
Promise: `start` returns when the broker answers, or raises one sentence with the log's last
lines; the data directory is kept and never shared; the broker ends when this process does.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from opspilot.local.diagnosis import diagnose, quote
from opspilot.local.ports import free_port, is_free
from opspilot.local.probe import answers
from opspilot.local.process import ChildProcess, tail
from opspilot.local.properties import (
    LOOPBACK,
    BrokerProperties,
    SecuredListener,
    log4j_properties,
    server_properties,
)
from opspilot.local.runtime import KafkaRuntime, ScramUser
from opspilot.local.storage import MINIMUM_FREE_BYTES, DataDirectory, cached_template
from opspilot.local.worker import describe_exit
from streams.clock import monotonic_ms
from streams.errors import BrokerError


@dataclass(frozen=True)
class BrokerOptions:
    """How one broker is run; every wait and size is bounded here."""

    port: int | None = None
    heap_mib: int = 512
    start_seconds: float = 60.0
    stop_seconds: float = 20.0
    # The first orderly end on a machine also writes the archive of classes.
    archive_seconds: float = 40.0
    minimum_free_bytes: int = MINIMUM_FREE_BYTES
    port_attempts: int = 5
    listeners: tuple[SecuredListener, ...] = ()
    scram_users: tuple[ScramUser, ...] = ()
    extra_properties: tuple[tuple[str, str], ...] = ()


class EmbeddedBroker:
    """Start, stop and, for tests, kill and freeze one Kafka; a context manager.

    The port, once found, stays the same over `stop` and `start`, so that clients find it again.
    """

    def __init__(
        self, directory: Path, runtime: KafkaRuntime, options: BrokerOptions | None = None
    ) -> None:
        self.options = options or BrokerOptions()
        self._runtime = runtime
        self._data = DataDirectory(directory)
        self._port = self.options.port
        self._child: ChildProcess | None = None
        self._archive_draft = self._data.path / "classes.draft"

    @property
    def bootstrap(self) -> str:
        """Return HOST:PORT; BrokerError before the first start."""
        if self._port is None:
            raise BrokerError("the embedded Kafka has no address yet: start it first.")
        return f"{LOOPBACK}:{self._port}"

    @property
    def log_path(self) -> Path:
        """Return the broker's own log."""
        return self._data.broker_log

    @property
    def pid(self) -> int:
        """Return the process id of the running broker."""
        return self._running().pid

    @property
    def is_running(self) -> bool:
        """Say whether the process is there (it may be frozen)."""
        return self._child is not None and self._child.exit_code() is None

    def start(self) -> Self:
        """Start and wait until it answers; idempotent while it runs.

        BrokerError: directory in use or damaged, disk full, port in use, or it did not come up.
        """
        if self.is_running:
            return self
        if self._data.lock_descriptor is None:
            self._data.acquire()
        try:
            self._data.check_space(self.options.minimum_free_bytes)
            if not self._data.is_formatted():
                self._format()
            self._start_on_some_port()
        except OSError as error:
            self.kill()
            raise BrokerError(
                f"Kafka could not be prepared in {self._data.path} ({error}): "
                "free some space or mend the rights, or name another data directory."
            ) from error
        except BaseException:
            self.kill()
            raise
        return self

    def check(self) -> None:
        """Raise BrokerError, in one sentence, when the process has ended by itself."""
        ended = None if self._child is None else self._child.exit_code()
        if ended is None:
            return
        self._data.check_space(self.options.minimum_free_bytes)  # a full disk leaves no log of it
        diagnosis = diagnose([*tail(self._data.broker_log, 400), *tail(self._data.console_log, 40)])
        raise BrokerError(
            f"Kafka on {self.bootstrap} has ended ({describe_exit(ended)}): {diagnosis.sentence} "
            f"Its log is {self.log_path}."
        )

    def stop(self) -> None:
        """SIGTERM, a bounded wait, SIGKILL; the data stays and the lock is given back."""
        if self._child is not None:
            archiving = not self._runtime.archive.exists()
            grace = self.options.archive_seconds if archiving else self.options.stop_seconds
            orderly = self._child.stop(grace)
            self._child = None
            if orderly:
                self._runtime.keep_archive(self._archive_draft)
        self._data.release()

    def kill(self) -> None:
        """SIGKILL, as a crash would; `start` brings it back with its data."""
        if self._child is not None:
            self._child.kill()
            self._child = None
        self._data.release()

    def freeze(self) -> None:
        """Stop the process where it is (SIGSTOP)."""
        self._running().freeze()

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        self._running().thaw()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _running(self) -> ChildProcess:
        if self._child is None:
            raise BrokerError("the embedded Kafka is not running: start it first.")
        return self._child

    def _format(self) -> None:
        users = self.options.scram_users
        if not users:
            self._data.format(cached_template(self._runtime.template, self._runtime.format))
            return
        with tempfile.TemporaryDirectory(dir=self._data.path) as folder:
            # With credentials in it, so made for this directory alone.
            self._runtime.format(Path(folder, "formatted"), users)
            self._data.format(Path(folder, "formatted"))

    def _start_on_some_port(self) -> None:
        fixed = self._port
        if fixed is not None and not is_free(fixed):
            raise BrokerError(
                f"port {fixed} on {LOOPBACK} is in use, so Kafka cannot listen there: "
                "stop what holds it, or choose another port."
            )
        for attempt in range(1, self.options.port_attempts + 1):
            port = fixed if fixed is not None else free_port()
            controller_port = free_port(frozenset({port}))
            lines = self._launch(port, controller_port)
            if lines is None:
                self._port = port
                return
            diagnosis = diagnose(lines)
            # Someone took a port between our look and the broker's bind: look again.
            if not diagnosis.port_taken or attempt == self.options.port_attempts:
                raise BrokerError(
                    f"Kafka did not come up on {LOOPBACK}:{port}: {diagnosis.sentence} "
                    f"Its log is {self.log_path}.{quote(lines)}"
                )

    def _launch(self, port: int, controller_port: int) -> list[str] | None:
        """Run the broker until it answers (None), ends or is overdue (what it logged)."""
        settings = self._data.path / "server.properties"
        logging = self._data.path / "log4j2.properties"
        properties = BrokerProperties(
            port=port,
            controller_port=controller_port,
            log_directory=str(self._data.logs),
            listeners=self.options.listeners,
            extra=dict(self.options.extra_properties),
        )
        settings.write_text(server_properties(properties), encoding="latin-1")
        logging.write_text(log4j_properties(str(self._data.broker_log)), encoding="latin-1")
        self._data.console_log.write_bytes(b"")
        logged_before = self._log_size()
        self._archive_draft.unlink(missing_ok=True)
        flags = [
            f"-Dlog4j2.configurationFile={logging}",
            *self._runtime.archive_flags(self._archive_draft),
        ]
        command = self._runtime.command(
            "kafka.Kafka", [str(settings)], self.options.heap_mib, flags
        )
        assert self._data.lock_descriptor is not None
        keep = (self._data.lock_descriptor,)
        child = self._child = ChildProcess(command, self._data.console_log, keep_descriptors=keep)
        self._data.note(f"the Kafka on {LOOPBACK}:{port}, process {child.pid}")
        overdue_ms = monotonic_ms() + int(self.options.start_seconds * 1000)
        while monotonic_ms() < overdue_ms and child.exit_code() is None:
            if answers(LOOPBACK, port, timeout_seconds=1.0) and child.exit_code() is None:
                return None
            child.wait(0.03)
        ended = child.exit_code()
        child.kill()
        self._child = None
        end = "was overdue" if ended is None else f"ended with status {ended}"
        lines = tail(self._data.broker_log, 400, since_bytes=logged_before)
        return [*lines, *tail(self._data.console_log, 40), f"Kafka {end}."]

    def _log_size(self) -> int:
        return self._data.broker_log.stat().st_size if self._data.broker_log.exists() else 0
