"""One child process: started with its output in a file, ended by its id, never left behind.

In: a command, its environment, a log file. Out: a handle to stop, kill, freeze and thaw it.
Promise: the child ends when this process does, however this process ends (see guard.py);
it has a session of its own, so a Ctrl-C in the terminal reaches only this process.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from opspilot.local import guard

_TAIL_BYTES = 64 * 1024


class _Spawner:
    """Starts every child from one thread that lives as long as this process.

    Linux kills a child that asked for it when the *thread* that started it ends, so a child
    must never be started from a thread that may end sooner than the process.
    """

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[
            tuple[Sequence[str], dict[str, str], Path, tuple[int, ...], queue.SimpleQueue[object]]
        ] = queue.SimpleQueue()
        self._mutex = threading.Lock()
        self._owner = 0

    def start(
        self, command: Sequence[str], environment: dict[str, str], log: Path, keep: tuple[int, ...]
    ) -> "subprocess.Popen[bytes]":
        with self._mutex:
            # A forked copy of this process has no threads: it needs a spawner of its own.
            if self._owner != os.getpid():
                self._owner = os.getpid()
                self._orders = queue.SimpleQueue()
                threading.Thread(target=self._serve, name="spawner", daemon=True).start()
        answer: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._orders.put((command, environment, log, keep, answer))
        outcome = answer.get()
        if isinstance(outcome, BaseException):
            raise outcome
        assert isinstance(outcome, subprocess.Popen)
        return outcome

    def _serve(self) -> None:
        while True:
            command, environment, log, keep, answer = self._orders.get()
            try:
                answer.put(_open(command, environment, log, keep))
            except BaseException as error:
                answer.put(error)


def _open(
    command: Sequence[str], environment: dict[str, str], log: Path, keep: tuple[int, ...]
) -> "subprocess.Popen[bytes]":
    guarded = [sys.executable, "-I", "-S", guard.__file__, str(os.getpid()), *command]
    with log.open("ab") as output:
        return subprocess.Popen(
            guarded,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=keep,
            start_new_session=True,
        )


_SPAWNER = _Spawner()


class ChildProcess:
    """A running command; `pid` is the command's own, not a wrapper's."""

    def __init__(
        self,
        command: Sequence[str],
        log_path: Path,
        environment: Mapping[str, str] | None = None,
        keep_descriptors: tuple[int, ...] = (),
    ) -> None:
        """Start the command; its output is appended to `log_path`.

        `environment` replaces the inherited one. OSError when the log cannot be written.
        """
        inherited = dict(os.environ if environment is None else environment)
        self.log_path = log_path
        self._process = _SPAWNER.start(list(command), inherited, log_path, keep_descriptors)

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return the exit status, negative for a signal, or None while it runs."""
        return self._process.poll()

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until the process has ended; False when it has not by then."""
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def terminate(self) -> None:
        """Ask the process to end (SIGTERM)."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once (SIGKILL) and wait until it is gone."""
        self._send(signal.SIGKILL)
        self._process.wait()

    def freeze(self) -> None:
        """Stop the process where it is (SIGSTOP)."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on (SIGCONT)."""
        self._send(signal.SIGCONT)

    def stop(self, grace_seconds: float) -> bool:
        """SIGTERM, a bounded wait, then SIGKILL; True when it ended by itself in time."""
        self.terminate()
        # A frozen process would never see the SIGTERM.
        self.thaw()
        if self.wait(grace_seconds):
            return True
        self.kill()
        return False

    def _send(self, number: signal.Signals) -> None:
        # Popen checks under a lock that the child was not reaped, so that the id is still its own.
        self._process.send_signal(number)


def tail(path: Path, lines: int, since_bytes: int = 0) -> list[str]:
    """Return the last lines of a log file, none if it cannot be read.

    What stood in the file's first `since_bytes` is left out, unless the file was begun anew.
    """
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            first = since_bytes if size >= since_bytes else 0
            stream.seek(max(first, size - _TAIL_BYTES))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-lines:]
