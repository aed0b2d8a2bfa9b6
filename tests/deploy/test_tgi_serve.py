"""deploy/tgi/serve.sh with a stand-in server: which adapters it is given, and when it is ended."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from composefile import ROOT

from training.rollout import SharedFolder, TgiRollout

SCRIPT = ROOT / "deploy/tgi/serve.sh"
WAIT_SECONDS = 30.0
SERVER = """
trap 'echo told; exit 0' TERM
echo "serves ${LORA_ADAPTERS-nothing}"
while true; do sleep 0.05; done
"""


class Served:
    """The script as a container runs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "released.env"
        self.out = folder / "out"

    def start(self, server: str = SERVER, fixed: str | None = None) -> subprocess.Popen[bytes]:
        given = {} if fixed is None else {"LORA_ADAPTERS": fixed}
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                ["/bin/bash", str(SCRIPT), "/bin/bash", "-c", server],
                env={
                    "PATH": os.environ["PATH"],
                    "ADAPTERS_FILE": str(self.file),
                    "ADAPTERS_PAUSE_SECONDS": "0.05",
                    **given,
                },
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.process

    def release(self, *names: str) -> str:
        """Let the trainer's own code hand over these adapters, and no others."""
        shared = SharedFolder(self.folder / "released", None)
        rollout = TgiRollout(shared, self.file, ("true",), WAIT_SECONDS)
        adapter = self.folder / "adapter"
        adapter.mkdir(exist_ok=True)
        (adapter / "adapter_config.json").write_text("{}")
        for name in names:
            asyncio.run(rollout.load(name, adapter, names))
        if not names:
            asyncio.run(rollout.unload("any", ()))
        return ",".join(f"{name}={shared.path_of(name)}" for name in sorted(names))

    def until_said(self, words: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while words not in self.out.read_text():
            assert time.monotonic() < deadline, f"{words!r} is not in {self.out.read_text()!r}"
            time.sleep(0.02)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    one = Served(tmp_path)
    yield one
    if one.process.poll() is None:
        # The whole session: what the script has started would outlive it.
        os.killpg(one.process.pid, signal.SIGKILL)
        one.process.wait()


def test_without_a_trainer_nothing_is_added(served: Served) -> None:
    served.start()
    served.until_said("serves nothing")
    served.process.terminate()
    assert served.process.wait(WAIT_SECONDS) == 0
    assert "told" in served.out.read_text(), "the server itself must hear of the end"


def test_what_people_fixed_stays_and_what_was_released_comes_to_it(served: Served) -> None:
    line = served.release("one", "two")
    served.start(fixed="mine=/models/adapters/mine")
    served.until_said(f"serves mine=/models/adapters/mine,{line}\n")
    served.process.terminate()
    served.process.wait(WAIT_SECONDS)
    served.start()
    served.until_said(f"serves {line}\n")


def test_a_release_ends_it_so_that_it_is_started_again(served: Served) -> None:
    served.start()
    served.until_said("serves nothing")
    line = served.release("one")
    assert served.process.wait(WAIT_SECONDS) == 0
    assert "told" in served.out.read_text()
    served.start()
    served.until_said(f"serves {line}\n")
    assert served.process.poll() is None
    served.release()
    assert served.process.wait(WAIT_SECONDS) == 0
    served.start()
    served.until_said("serves nothing")


def test_an_adapter_that_is_gone_keeps_nothing_from_starting(served: Served) -> None:
    served.release("one", "gone")
    shutil.rmtree(served.folder / "released/gone")
    served.start()
    served.until_said(f"serves one={served.folder / 'released/one'}\n")
    assert "gone" in served.out.read_text()


def test_a_server_that_fails_is_seen_to_fail(served: Served) -> None:
    served.start("exit 7")
    assert served.process.wait(WAIT_SECONDS) == 7
