"""The fakes as other tests rely on them: their limits, and their lives as processes."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from fakes.model_server import Habits
from fakes.tgi_server import TgiServer
from questions import QUESTION
from seams import backend_for

from agents.llm.errors import OverloadedError, ServerFaultError


async def test_more_at_once_than_it_takes_is_refused():
    async with TgiServer(habits=Habits(max_concurrent=2, delay_seconds=0.3)) as server:
        backend = backend_for(server.url, "tgi")
        await backend.describe()
        calls = [backend.complete(QUESTION) for _ in range(5)]
        found = await asyncio.gather(*calls, return_exceptions=True)
        await backend.close()
    assert sum(isinstance(one, OverloadedError) for one in found) >= 1
    assert server.counts.most_in_flight <= 2


async def test_a_share_fails_and_the_same_one_each_time():
    outcomes = []
    for _ in range(2):
        async with TgiServer(habits=Habits(failure_rate=0.5, seed=4)) as server:
            backend = backend_for(server.url, "tgi")
            failed = []
            for _ in range(12):
                try:
                    await backend.complete(QUESTION)
                    failed.append(False)
                except ServerFaultError:
                    failed.append(True)
            await backend.close()
        outcomes.append(failed)
    assert outcomes[0] == outcomes[1]
    assert set(outcomes[0]) == {True, False}


async def test_as_a_process_it_serves_until_it_is_ended():
    command = [sys.executable, "-m", "fakes.tgi_server", "--concurrent", "9", "--adapter", "a"]
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=variables, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        backend = backend_for(url, "tgi")
        info = await backend.describe()
        await backend.complete(QUESTION)
        await backend.close()
        process.terminate()
        assert process.wait(20) == 0
    assert info.max_concurrent == 9
