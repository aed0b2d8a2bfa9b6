import json
import sys
from collections.abc import Collection
from pathlib import Path

import httpx
import pytest

from agents.llm.protocol import Reply, Request, ServerInfo
from schemas.learning import ModelRelease, ModelRole
from training.registry import Facts, Registry
from training.release import Server, release_adapter
from training.roles import Roles
from training.rollout import (
    LocalRollout,
    ReleaseError,
    SharedFolder,
    TgiRollout,
    VllmRollout,
)


class Echo:
    """A server that answers with the adapter's name, for those adapters that it really has."""

    name = "openai"

    def __init__(self, adapters: Collection[str]) -> None:
        self.adapters = adapters

    async def complete(self, request: Request) -> Reply:
        said = request.adapter if request.adapter in self.adapters else "base"
        return Reply({"answer": said}, json.dumps({"answer": said}), "tiny", None, 1, 1, 1.0)

    async def describe(self) -> ServerInfo:
        return ServerInfo("tiny")

    async def count_tokens(self, text: str) -> int:
        return len(text)

    async def close(self) -> None:
        pass


class Folders:
    """Takes note of what it is told to load."""

    def __init__(self) -> None:
        self.loaded: set[str] = set()

    async def load(self, name: str, folder: Path, keep: Collection[str]) -> None:
        assert any(folder.iterdir())
        self.loaded = {*keep, name}

    async def unload(self, name: str, keep: Collection[str]) -> None:
        self.loaded.discard(name)


@pytest.fixture
def registry(tmp_path) -> Registry:
    source = tmp_path / "source"
    source.mkdir()
    (source / "adapter.gguf").write_bytes(b"weights")
    registry = Registry.at(str(tmp_path / "registry"))
    for name, passed in (("good", True), ("refused", False)):
        facts = Facts(model="tiny", passed=passed, reason="why", created_ms=1)
        registry.publish(name, source, facts)
    return registry


async def release(name, registry, server, tmp_path, sent, roles=None):
    async def publish(changes):
        sent.extend(changes)

    return await release_adapter(
        name,
        registry=registry,
        work_folder=tmp_path / "work",
        way=server,
        roles=roles or Roles(),
        share=0.2,
        reason="better",
        publish=publish,
    )


async def test_an_adapter_that_answers_is_named_with_its_digest(registry, tmp_path):
    sent: list = []
    rollout = Folders()
    await release("good", registry, Server(Echo({"good"}), rollout, 0, 0), tmp_path, sent)
    ((role, record),) = sent
    assert role is ModelRole.CHALLENGER
    assert record.adapter_digest == registry.read("good").digest
    assert rollout.loaded == {"good"}


async def test_an_adapter_that_only_echoes_the_base_model_is_taken_out_again(registry, tmp_path):
    sent: list = []
    rollout = Folders()
    with pytest.raises(ReleaseError, match="word for word"):
        await release("good", registry, Server(Echo(()), rollout, 0, 0), tmp_path, sent)
    assert sent == []
    assert rollout.loaded == set()


async def test_what_serves_is_not_taken_out_when_it_cannot_be_proven(registry, tmp_path):
    rollout = Folders()
    serving = ModelRelease(
        role=ModelRole.CHAMPION, backend="openai", model="tiny", adapter="good", released_ms=1
    )
    with pytest.raises(ReleaseError):
        server = Server(Echo(()), rollout, 0, 0)
        await release("good", registry, server, tmp_path, [], Roles(serving))
    assert rollout.loaded == {"good"}


async def test_what_the_gate_refused_is_not_even_loaded(registry, tmp_path):
    rollout = Folders()
    with pytest.raises(ReleaseError, match="refused by the gate: why"):
        await release("refused", registry, Server(Echo({"refused"}), rollout), tmp_path, [])
    assert rollout.loaded == set()


async def test_the_local_folder_gets_the_file_and_loses_those_in_no_role(tmp_path):
    source, served = tmp_path / "source", tmp_path / "served"
    source.mkdir()
    served.mkdir()
    (source / "model.gguf").write_bytes(b"weights")
    (served / "champion.gguf").write_bytes(b"c")
    (served / "stale.gguf").write_bytes(b"s")
    await LocalRollout(served).load("new", source, {"champion"})
    assert {path.name for path in served.iterdir()} == {"champion.gguf", "new.gguf"}
    assert (served / "new.gguf").read_bytes() == b"weights"


async def test_an_adapter_without_gguf_cannot_be_served_locally(tmp_path):
    (tmp_path / "source").mkdir()
    with pytest.raises(ReleaseError, match="no GGUF file"):
        await LocalRollout(tmp_path / "served").load("new", tmp_path / "source", ())


async def test_tgi_gets_its_line_and_is_restarted(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "adapter_config.json").write_text("{}")
    shared = SharedFolder(tmp_path / "shared", "/adapters/")
    line, seen = tmp_path / "tgi" / "lora.env", tmp_path / "seen"
    copy = f"import shutil; shutil.copy({str(line)!r}, {str(seen)!r})"
    rollout = TgiRollout(shared, line, (sys.executable, "-c", copy), 30)
    await rollout.load("old", source, ())
    await rollout.load("new", source, {"old"})
    assert seen.read_text() == "LORA_ADAPTERS=new=/adapters/new,old=/adapters/old\n"
    await rollout.unload("new", {"old"})
    assert seen.read_text() == "LORA_ADAPTERS=old=/adapters/old\n"
    assert shared.names() == {"old"}


async def test_a_restart_that_fails_says_why(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    failing = (sys.executable, "-c", "import sys; sys.exit('no such unit')")
    rollout = TgiRollout(SharedFolder(tmp_path / "s", None), tmp_path / "f", failing, 30)
    with pytest.raises(ReleaseError, match="no such unit"):
        await rollout.load("new", source, ())


class Vllm(VllmRollout):
    """The real one, but for the network: takes note of what would be posted."""

    def __init__(self, shared: SharedFolder, status: int = 200, text: str = "ok") -> None:
        super().__init__(shared, "http://vllm:8000/v1", None)
        self.posted: list[tuple[str, dict[str, str]]] = []
        self._answer = httpx.Response(status, text=text)

    async def _post(self, route: str, body: dict[str, str]) -> httpx.Response:
        self.posted.append((route, body))
        return self._answer


async def test_vllm_loads_under_the_path_it_sees_and_lets_go_of_those_in_no_role(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "adapter_config.json").write_text("{}")
    shared = SharedFolder(tmp_path / "shared", "/mnt/adapters")
    for name in ("champion", "stale"):
        shared.put(name, source)
    server = Vllm(shared)
    await server.load("new", source, {"champion"})
    assert server.posted == [
        ("load_lora_adapter", {"lora_name": "new", "lora_path": "/mnt/adapters/new"}),
        ("unload_lora_adapter", {"lora_name": "stale"}),
    ]
    assert shared.names() == {"champion", "new"}


async def test_vllm_that_refuses_is_a_release_that_failed(tmp_path):
    (tmp_path / "source").mkdir()
    server = Vllm(SharedFolder(tmp_path / "shared", None), 404, "Not Found")
    with pytest.raises(ReleaseError, match="VLLM_ALLOW_RUNTIME_LORA_UPDATING"):
        await server.load("new", tmp_path / "source", ())
