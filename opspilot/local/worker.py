"""One supervised worker: started, watched, started again, drained; a thread of its own.

In: how to start it, a policy, a folder for its log. Out: a status that says where it stands.
Promise: at most one process of the worker at a time; after `stop` there is none.
"""

import http.client
import os
import shutil
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from opspilot.local.ports import free_port
from opspilot.local.process import ChildProcess, tail
from opspilot.local.properties import LOOPBACK
from opspilot.local.restart import RestartPolicy
from streams.clock import monotonic_ms

POLL_SECONDS = 0.2
PROBE_SECONDS = 1.0
QUOTED_LINES = 12
LOG_LIMIT_BYTES = 16 * 1024 * 1024
PORT_VARIABLE = "OPSPILOT_WORKER__PORT"


class WorkerState(StrEnum):
    """Where a worker stands."""

    STARTING = "starting"
    READY = "ready"
    NOT_READY = "not ready"
    WAITING = "waiting to restart"
    GIVEN_UP = "given up"
    STOPPED = "stopped"


@dataclass(frozen=True)
class WorkerSpec:
    """How to start one worker.

    `port_variable` names the variable that tells the worker where to serve `ready_path`; without
    it the worker counts as ready while it runs. A free port is chosen anew at every start unless
    `port` is set, so a port that was lost to another process costs one restart.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    port_variable: str | None = None
    port: int | None = None
    ready_path: str = "/readyz"


@dataclass(frozen=True)
class WorkerStatus:
    """A snapshot: what a status view shows. `last_lines` are there while it is not well."""

    name: str
    state: WorkerState
    log_path: Path
    pid: int | None = None
    port: int | None = None
    restarts: int = 0
    last_exit: str | None = None
    last_lines: tuple[str, ...] = ()


def stage_worker(stage: str, environment: Mapping[str, str] | None = None) -> WorkerSpec:
    """Return how to run a stage of this installation with this Python."""
    command = (sys.executable, "-m", "opspilot", "worker", stage)
    return WorkerSpec(stage, command, environment or {}, PORT_VARIABLE)


def describe_exit(code: int) -> str:
    """Say an exit status for a person: a negative one is the signal that ended the process."""
    return f"killed by signal {-code}" if code < 0 else f"exit status {code}"


class SupervisedWorker:
    """Keeps one worker running from its own thread."""

    def __init__(
        self,
        spec: WorkerSpec,
        log_directory: Path,
        policy: RestartPolicy,
        grace_seconds: float,
        changed: Callable[[], None],
    ) -> None:
        """Nothing runs before `start`; `changed` is called after every change of the status."""
        self.spec = spec
        self.log_path = log_directory / f"{spec.name}.log"
        self.killed = False
        self._policy = policy
        self._grace_seconds = grace_seconds
        self._changed = changed
        self._stopping = threading.Event()
        self._mutex = threading.Lock()
        self._status = WorkerStatus(spec.name, WorkerState.STARTING, self.log_path)
        self._child: ChildProcess | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch-{spec.name}", daemon=True)

    @property
    def status(self) -> WorkerStatus:
        """Return where the worker stands now."""
        with self._mutex:
            return self._status

    @property
    def child(self) -> ChildProcess | None:
        """Return the running process, for tests that kill or freeze it."""
        with self._mutex:
            return self._child

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def request_stop(self) -> None:
        """Have the process drained and not started again; returns at once."""
        self._stopping.set()

    def join(self) -> None:
        """Wait until it has stopped: at most the grace, and what a SIGKILL takes."""
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        failures = restarts = 0
        while not self._stopping.is_set():
            try:
                code, ready_seconds = self._run_once(restarts)
                ending = None if code is None else describe_exit(code)
            except OSError as error:
                ending, ready_seconds = f"not started ({error.strerror or error})", 0.0
            except Exception as error:
                ending, ready_seconds = f"not started ({error})", 0.0
            if ending is None:
                break
            failures = self._policy.failures_after(failures, ready_seconds)
            lines = tuple(tail(self.log_path, QUOTED_LINES))
            if self._policy.gives_up(failures):
                self._set(WorkerState.GIVEN_UP, None, None, restarts, ending, lines)
                return
            self._set(WorkerState.WAITING, None, None, restarts, ending, lines)
            self._stopping.wait(self._policy.delay_seconds(failures))
            restarts += 1
        self._set(WorkerState.STOPPED, None, None, restarts, self.status.last_exit)

    def _run_once(self, restarts: int) -> tuple[int | None, float]:
        """Run the process until it ends (its status, seconds ready) or is told to stop (None)."""
        port = self.spec.port
        environment = {**os.environ, **self.spec.environment}
        if self.spec.port_variable is not None:
            port = port or free_port()
            environment[self.spec.port_variable] = str(port)
        child = ChildProcess(self.spec.command, self.log_path, environment)
        with self._mutex:
            self._child = child
        last_exit = self.status.last_exit
        self._set(WorkerState.STARTING, child.pid, port, restarts, last_exit)
        ready_since_ms: int | None = None
        try:
            while not child.wait(POLL_SECONDS):
                if self._stopping.is_set():
                    self.killed = not child.stop(self._grace_seconds)
                    return None, 0.0
                bound_log(self.log_path, LOG_LIMIT_BYTES)
                state = self._judge(port, ready_since_ms is not None)
                if state is WorkerState.READY and ready_since_ms is None:
                    ready_since_ms = monotonic_ms()
                self._set(state, child.pid, port, restarts, last_exit)
        except BaseException:
            child.kill()
            raise
        finally:
            with self._mutex:
                self._child = None
        code = child.exit_code()
        assert code is not None
        return code, 0.0 if ready_since_ms is None else (monotonic_ms() - ready_since_ms) / 1000

    def _judge(self, port: int | None, was_ready: bool) -> WorkerState:
        if self.spec.port_variable is None or port is None or is_ready(port, self.spec.ready_path):
            return WorkerState.READY
        return WorkerState.NOT_READY if was_ready else WorkerState.STARTING

    def _set(
        self,
        state: WorkerState,
        pid: int | None,
        port: int | None,
        restarts: int,
        last_exit: str | None,
        lines: tuple[str, ...] = (),
    ) -> None:
        status = WorkerStatus(
            self.spec.name, state, self.log_path, pid, port, restarts, last_exit, lines
        )
        with self._mutex:
            same, self._status = status == self._status, status
        if not same:
            self._changed()


def is_ready(port: int, path: str) -> bool:
    """Say whether a GET on the loopback port answers 200 within a second."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def bound_log(path: Path, limit_bytes: int) -> None:
    """Move what a log holds to `NAME.1` once it is over the limit.

    The process goes on writing: it appends, so after the cut it begins at the file's new start.
    """
    try:
        if path.stat().st_size > limit_bytes:
            shutil.copyfile(path, path.with_name(path.name + ".1"))
            os.truncate(path, 0)
    except OSError:
        # A full disk must not end the worker that is being watched.
        return
