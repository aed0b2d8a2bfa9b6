"""All worker processes of one stack: started together, kept running, drained together.

In: specifications of workers and a folder for their logs. Out: a status of each, at any time.
Promise: workers that end are started again until the policy gives up; `stop` leaves none
behind; and none outlives this process, however it ends.
"""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from opspilot.local.process import ChildProcess
from opspilot.local.restart import RestartPolicy
from opspilot.local.worker import SupervisedWorker, WorkerSpec, WorkerState, WorkerStatus
from streams.errors import ConfigurationError, OpsPilotError


class Supervisor:
    """A context manager: entering starts the workers, leaving stops them."""

    def __init__(
        self,
        specs: Sequence[WorkerSpec],
        log_directory: Path,
        policy: RestartPolicy | None = None,
        grace_seconds: float = 30.0,
    ) -> None:
        """Nothing runs before `start`; `grace_seconds` bounds the drain of each worker."""
        names = [spec.name for spec in specs]
        if len(set(names)) != len(names):
            raise ConfigurationError(f"two workers have one name: {', '.join(sorted(names))}")
        self._changed = threading.Condition()
        self._log_directory = log_directory
        self._policy = policy or RestartPolicy()
        self._grace_seconds = grace_seconds
        self._workers = {spec.name: self._watched(spec) for spec in specs}

    def start(self) -> Self:
        """Start every worker; returns at once. ConfigurationError when logs cannot be written."""
        try:
            self._log_directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"the log folder {self._log_directory} cannot be made ({error.strerror}): "
                "name another data directory."
            ) from error
        for worker in self._workers.values():
            worker.start()
        return self

    def status(self) -> tuple[WorkerStatus, ...]:
        """Return a snapshot of every worker, in the order given."""
        return tuple(worker.status for worker in self._workers.values())

    def add(self, spec: WorkerSpec) -> None:
        """Start one more worker; returns at once. ConfigurationError when the name is taken."""
        if spec.name in self._workers:
            raise ConfigurationError(f"there is a worker {spec.name} already: name another.")
        worker = self._watched(spec)
        # A new dict each time: other threads go through the old one meanwhile.
        self._workers = {**self._workers, spec.name: worker}
        worker.start()

    def remove(self, name: str) -> bool:
        """Drain one worker and forget it; False when it had to be killed."""
        worker = self._workers[name]
        worker.request_stop()
        worker.join()
        self._workers = {other: one for other, one in self._workers.items() if other != name}
        return not worker.killed

    def child(self, name: str) -> ChildProcess | None:
        """Return a worker's running process, for tests that kill or freeze it."""
        return self._workers[name].child

    def wait_for(
        self, holds: Callable[[tuple[WorkerStatus, ...]], bool], timeout_seconds: float
    ) -> bool:
        """Wait until the status satisfies `holds`; False when it did not in time."""
        with self._changed:
            return self._changed.wait_for(lambda: holds(self.status()), timeout_seconds)

    def wait_ready(self, timeout_seconds: float) -> None:
        """Wait until every worker is ready; OpsPilotError names one that is not, and its log."""

        def settled(statuses: tuple[WorkerStatus, ...]) -> bool:
            states = {one.state for one in statuses}
            return WorkerState.GIVEN_UP in states or states <= {WorkerState.READY}

        self.wait_for(settled, timeout_seconds)
        for one in self.status():
            if one.state is WorkerState.GIVEN_UP:
                raise OpsPilotError(explain_failure(one))
        late = [one for one in self.status() if one.state is not WorkerState.READY]
        if late:
            named = ", ".join(f"{one.name} ({one.state}, log {one.log_path})" for one in late)
            raise OpsPilotError(f"not ready within {timeout_seconds:g} s: {named}")

    def stop(self) -> tuple[str, ...]:
        """Drain all workers at once, kill what is left; returns the names that had to be killed."""
        for worker in self._workers.values():
            worker.request_stop()
        for worker in self._workers.values():
            worker.join()
        return tuple(name for name, worker in self._workers.items() if worker.killed)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _watched(self, spec: WorkerSpec) -> SupervisedWorker:
        return SupervisedWorker(
            spec, self._log_directory, self._policy, self._grace_seconds, self._announce
        )

    def _announce(self) -> None:
        with self._changed:
            self._changed.notify_all()


def explain_failure(status: WorkerStatus) -> str:
    """Say in a sentence why a worker was given up, with the last lines of its log below."""
    quoted = "".join(f"\n  | {line[:300]}" for line in status.last_lines)
    return (
        f"worker {status.name} was given up after {status.restarts + 1} starts "
        f"({status.last_exit}); its log is {status.log_path}.{quoted}"
    )
