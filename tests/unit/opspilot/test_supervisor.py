import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from opspilot.local.process import ChildProcess
from opspilot.local.restart import RestartPolicy
from opspilot.local.supervisor import Supervisor
from opspilot.local.worker import WorkerSpec, WorkerState, WorkerStatus, bound_log, stage_worker
from streams.errors import ConfigurationError, OpsPilotError

WAIT_SECONDS = 30.0
QUICK = RestartPolicy(first_delay_seconds=0.05, longest_delay_seconds=0.2)

SERVER = """
import http.server, os, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
    def log_message(self, *_):
        pass
def leave(*_):
    print("drained", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
http.server.HTTPServer(("127.0.0.1", int(os.environ["HEALTH_PORT"])), Handler).serve_forever()
"""
STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
while True:
    signal.pause()
"""


def program(name: str, code: str, **more) -> WorkerSpec:
    return WorkerSpec(name, (sys.executable, "-c", code), **more)


def server(name: str) -> WorkerSpec:
    return program(name, SERVER, port_variable="HEALTH_PORT")


def until(holds: Callable[[], bool]) -> bool:
    overdue = time.monotonic() + WAIT_SECONDS
    while not holds() and time.monotonic() < overdue:
        time.sleep(0.01)
    return holds()


def said(log: Path) -> str:
    return log.read_text() if log.exists() else ""


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def all_ready(statuses: tuple[WorkerStatus, ...]) -> bool:
    return all(one.state is WorkerState.READY for one in statuses)


def test_workers_become_ready_and_are_drained(tmp_path: Path):
    supervisor = Supervisor([server("one"), server("two")], tmp_path / "logs")
    with supervisor:
        supervisor.wait_ready(WAIT_SECONDS)
        before = supervisor.status()
    assert [one.name for one in before] == ["one", "two"]
    assert len({one.port for one in before}) == 2
    assert [one.state for one in supervisor.status()] == [WorkerState.STOPPED] * 2
    assert all(one.pid is not None and is_gone(one.pid) for one in before)
    assert [one.log_path.read_text() for one in before] == ["drained\n"] * 2


def test_a_killed_worker_comes_back_as_another_process(tmp_path: Path):
    with Supervisor([server("one")], tmp_path, QUICK) as supervisor:
        supervisor.wait_ready(WAIT_SECONDS)
        first = supervisor.status()[0].pid
        child = supervisor.child("one")
        assert child is not None
        child.kill()
        assert supervisor.wait_for(lambda now: all_ready(now) and now[0].pid != first, WAIT_SECONDS)
        (status,) = supervisor.status()
        assert status.restarts == 1
        assert status.last_exit == "killed by signal 9"


def test_one_that_always_fails_is_given_up_with_its_last_lines(tmp_path: Path):
    policy = RestartPolicy(first_delay_seconds=0.01, failures_before_giving_up=3)
    code = "import sys; print('the file is missing'); sys.exit(4)"
    # With a port it is ready only when it answers: without, it would be as soon as it runs.
    spec = program("broken", code, port_variable="HEALTH_PORT")
    with Supervisor([server("well"), spec], tmp_path, policy) as supervisor:
        with pytest.raises(OpsPilotError) as caught:
            supervisor.wait_ready(WAIT_SECONDS)
        status = supervisor.status()[1]
    message = str(caught.value)
    assert "worker broken was given up after 3 starts (exit status 4)" in message
    assert "| the file is missing" in message
    assert status.state is WorkerState.GIVEN_UP
    assert status.log_path.read_text().count("the file is missing") == 3


def test_a_program_that_is_absent_is_given_up(tmp_path: Path):
    policy = RestartPolicy(first_delay_seconds=0.01, failures_before_giving_up=2)
    spec = WorkerSpec("none", ("/no/such/program",))
    with (
        Supervisor([spec], tmp_path, policy) as supervisor,
        pytest.raises(OpsPilotError, match=r"none was given up.*\(exit status 127\)"),
    ):
        supervisor.wait_ready(WAIT_SECONDS)


def test_one_that_does_not_drain_is_killed(tmp_path: Path):
    supervisor = Supervisor([program("deaf", STUBBORN)], tmp_path, grace_seconds=0.1).start()
    assert until(lambda: "deaf" in said(tmp_path / "deaf.log"))
    pid = supervisor.status()[0].pid
    assert supervisor.stop() == ("deaf",)
    assert pid is not None and is_gone(pid)


def test_a_frozen_worker_is_not_ready_and_is_ready_again_when_it_goes_on(tmp_path: Path):
    with Supervisor([server("one")], tmp_path, QUICK) as supervisor:
        supervisor.wait_ready(WAIT_SECONDS)
        child = supervisor.child("one")
        assert child is not None
        child.freeze()
        assert supervisor.wait_for(lambda now: now[0].state is WorkerState.NOT_READY, WAIT_SECONDS)
        child.thaw()
        assert supervisor.wait_for(all_ready, WAIT_SECONDS)
        assert supervisor.status()[0].restarts == 0


def test_two_workers_of_one_name_are_refused(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="two workers have one name: one, one"):
        Supervisor([server("one"), server("one")], tmp_path)


def test_a_log_folder_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="log folder"):
        Supervisor([], tmp_path / "file" / "logs").start()


def test_a_child_dies_with_its_parent_even_from_a_short_lived_thread(tmp_path: Path):
    code = f"""
import signal, sys, threading
from pathlib import Path
from opspilot.local.process import ChildProcess
def begin():
    child = ChildProcess(["sleep", "600"], Path({str(tmp_path / "child.log")!r}))
    Path({str(tmp_path / "pid")!r}).write_text(str(child.pid) + "\\n")
thread = threading.Thread(target=begin)
thread.start()
thread.join()
print("ready", flush=True)
signal.pause()
"""
    parent = ChildProcess([sys.executable, "-c", code], tmp_path / "parent.log")
    try:
        ready = until(lambda: "ready" in said(tmp_path / "parent.log"))
        assert ready, said(tmp_path / "parent.log")
        child_pid = int((tmp_path / "pid").read_text())
        assert not is_gone(child_pid)
        # As nobody can catch it: the parent gets no chance to end its child.
        os.kill(parent.pid, signal.SIGKILL)
        assert until(lambda: is_gone(child_pid))
    finally:
        parent.kill()


def test_the_watcher_for_other_systems_ends_a_child_whose_parent_is_gone(tmp_path: Path):
    parent = ChildProcess(["sleep", "600"], tmp_path / "parent.log")
    code = f"""
import os, signal
from opspilot.local.guard import watch
watch({parent.pid}, os.getpid())
print("ready", flush=True)
signal.pause()
"""
    child = ChildProcess([sys.executable, "-c", code], tmp_path / "child.log")
    try:
        assert until(lambda: "ready" in said(tmp_path / "child.log"))
        assert child.exit_code() is None
        parent.kill()
        assert child.wait(WAIT_SECONDS)
        assert child.exit_code() == -signal.SIGKILL
    finally:
        child.kill()


def test_backoff_grows_to_its_cap_and_starts_afresh_after_a_stable_run():
    policy = RestartPolicy(
        first_delay_seconds=0.5, longest_delay_seconds=3, failures_before_giving_up=4
    )
    assert [policy.delay_seconds(n) for n in (1, 2, 3, 4, 10_000)] == [0.5, 1, 2, 3, 3]
    assert [policy.gives_up(n) for n in (3, 4)] == [False, True]
    assert policy.failures_after(3, ready_seconds=1) == 4
    assert policy.failures_after(3, ready_seconds=60) == 1


def test_a_log_over_its_limit_is_moved_aside_while_it_is_written(tmp_path: Path):
    log = tmp_path / "one.log"
    with log.open("a", encoding="utf-8") as writer:
        writer.write("old" * 10)
        writer.flush()
        bound_log(log, limit_bytes=1_000)
        assert log.read_text() == "old" * 10
        bound_log(log, limit_bytes=20)
        writer.write("new")
    assert log.read_text() == "new"
    assert (tmp_path / "one.log.1").read_text() == "old" * 10


def test_a_stage_runs_with_this_python_and_gets_its_port():
    spec = stage_worker("ingest", {"OPSPILOT_KAFKA__BOOTSTRAP": "127.0.0.1:1"})
    assert spec.command == (sys.executable, "-m", "opspilot", "worker", "ingest")
    assert spec.port_variable == "OPSPILOT_WORKER__PORT"
    assert spec.environment == {"OPSPILOT_KAFKA__BOOTSTRAP": "127.0.0.1:1"}


def test_a_worker_is_added_and_another_removed_while_the_rest_run(tmp_path):
    with Supervisor([server("one")], tmp_path, QUICK) as supervisor:
        supervisor.wait_ready(WAIT_SECONDS)
        stays = supervisor.child("one")
        supervisor.add(server("two"))
        supervisor.wait_ready(WAIT_SECONDS)
        two = supervisor.child("two")
        assert supervisor.remove("two")
        assert [one.name for one in supervisor.status()] == ["one"]
        assert is_gone(two.pid)
        assert "drained" in said(tmp_path / "two.log")
        assert supervisor.child("one") is stays


def test_a_removed_worker_comes_back_under_its_name_and_a_taken_name_is_refused(tmp_path):
    with Supervisor([server("one")], tmp_path, QUICK) as supervisor:
        supervisor.wait_ready(WAIT_SECONDS)
        with pytest.raises(ConfigurationError, match="one already"):
            supervisor.add(server("one"))
        first = supervisor.child("one").pid
        supervisor.remove("one")
        supervisor.add(server("one"))
        supervisor.wait_ready(WAIT_SECONDS)
        assert supervisor.child("one").pid != first


def test_removing_a_deaf_worker_kills_it_and_says_so(tmp_path):
    with Supervisor([program("deaf", STUBBORN)], tmp_path, QUICK, grace_seconds=0.1) as supervisor:
        assert until(lambda: "deaf" in said(tmp_path / "deaf.log"))
        pid = supervisor.child("deaf").pid
        assert not supervisor.remove("deaf")
        assert is_gone(pid)
