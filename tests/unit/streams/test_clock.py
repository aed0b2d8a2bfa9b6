"""The watch that ends a process which stood still."""

import subprocess
import sys

from streams.clock import FreezeWatch, monotonic_ms, now_ms

FROZEN = """
import streams.clock as clock
now = 1_000
clock.monotonic_ms = lambda: now
watch = clock.FreezeWatch(500)
watch.check()
watch.tick()
now += {gap}
watch.check()
print("goes on")
"""


def run(gap: int) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", FROZEN.format(gap=gap)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_gap_over_the_limit_ends_the_process_with_75_and_a_sentence():
    ended = run(501)
    assert ended.returncode == FreezeWatch.EXIT_STATUS == 75
    assert ended.stdout == ""
    assert ended.stderr == (
        "this process stood still for 501 ms (limit 500 ms): "
        "its partitions may have a new owner, so it ends here\n"
    )


def test_a_gap_up_to_the_limit_does_not():
    assert run(500).stdout == "goes on\n"


def test_the_clocks_count_milliseconds():
    assert now_ms() > 1_700_000_000_000
    first = monotonic_ms()
    assert monotonic_ms() >= first
