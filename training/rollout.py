"""How each kind of model server gets an adapter.

Comes in: an adapter's folder, its name, the names that must stay. Goes out: a server that was told
to load it. Promise: a file appears whole or not at all; adapters in no role are taken out again;
whether the adapter answers is for the probe to say, not for the server.
"""

import asyncio
import filecmp
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

import httpx

from streams.errors import ConfigurationError, OpsPilotError
from streams.modelsettings import ModelSettings
from streams.releasesettings import ReleaseSettings, ServerKind
from training.stores import FolderStore, sync

CALL_SECONDS = 120.0


class ReleaseError(OpsPilotError):
    """An adapter could not be brought into service; the message says why."""


class Rollout(Protocol):
    """One kind of server."""

    async def load(self, name: str, folder: Path, keep: Collection[str]) -> None:
        """Have the server load `folder` as `name`, and let go of all but `keep`."""

    async def unload(self, name: str, keep: Collection[str]) -> None:
        """Take `name` out again: it could not be proven."""


def make_rollout(release: ReleaseSettings, model: ModelSettings) -> Rollout:
    """Return the way of the configured server; raises ConfigurationError."""
    if release.server is ServerKind.LOCAL:
        return LocalRollout(model.local_adapter_folder)
    shared = SharedFolder(release.adapter_folder, release.server_folder)
    if release.server is ServerKind.TGI:
        assert release.adapters_file is not None, "the settings refuse tgi without it"
        return TgiRollout(
            shared, release.adapters_file, release.restart_command, release.wait_seconds
        )
    if model.url is None:
        raise ConfigurationError(
            "server vllm needs OPSPILOT_MODEL__URL, such as http://vllm:8000/v1"
        )
    key = model.api_key.get_secret_value() if model.api_key is not None else None
    return VllmRollout(shared, model.url, key)


class LocalRollout:
    """`opspilot worker model` looks into a folder of GGUF files and loads what is new."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def load(self, name: str, folder: Path, keep: Collection[str]) -> None:
        """Put the adapter's GGUF file into the folder; raises ReleaseError without one."""
        files = sorted(folder.glob("*.gguf"))
        if not files:
            raise ReleaseError(f"adapter {name} has no GGUF file: the local model cannot load it")
        known = {path.stem for path in self._folder.glob("*.gguf")}
        there = self._folder / f"{name}.gguf"
        # Written anew it would be loaded anew, and nobody be answered meanwhile.
        if not there.is_file() or not filecmp.cmp(there, files[0], shallow=False):
            FolderStore(self._folder).put_file(there.name, files[0])
        for stem in known - {*keep, name}:
            (self._folder / f"{stem}.gguf").unlink(missing_ok=True)

    async def unload(self, name: str, keep: Collection[str]) -> None:  # noqa: ARG002
        """Remove the file."""
        (self._folder / f"{name}.gguf").unlink(missing_ok=True)


class SharedFolder:
    """A folder that a server on another machine or in another container sees under its own path."""

    def __init__(self, folder: Path, seen_as: str | None) -> None:
        self._folder = folder
        self._seen_as = (seen_as or str(folder.absolute())).rstrip("/")

    def path_of(self, name: str) -> str:
        """Return where the server sees an adapter."""
        return f"{self._seen_as}/{name}"

    def names(self) -> set[str]:
        """Return the adapters that are there."""
        if not self._folder.is_dir():
            return set()
        folders = (path for path in self._folder.iterdir() if path.is_dir())
        return {path.name for path in folders if not path.name.startswith(".")}

    def put(self, name: str, folder: Path) -> None:
        """Copy an adapter there, whole or not at all."""
        draft = self._folder / f".{name}"
        try:
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(folder, draft)
            for path in draft.iterdir():
                sync(path)
            shutil.rmtree(self._folder / name, ignore_errors=True)
            draft.replace(self._folder / name)
        except OSError as error:
            raise ReleaseError(
                f"adapter {name} cannot be put into {self._folder}: {error}"
            ) from None

    def remove(self, name: str) -> None:
        """Remove an adapter."""
        shutil.rmtree(self._folder / name, ignore_errors=True)


class VllmRollout:
    """vLLM loads and unloads at run time, if VLLM_ALLOW_RUNTIME_LORA_UPDATING is set there."""

    def __init__(self, shared: SharedFolder, url: str, api_key: str | None) -> None:
        self._shared = shared
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    async def load(self, name: str, folder: Path, keep: Collection[str]) -> None:
        """Share the adapter and have it loaded; raises ReleaseError where the server refuses."""
        others = self._shared.names() - {*keep, name}
        self._shared.put(name, folder)
        body = {"lora_name": name, "lora_path": self._shared.path_of(name)}
        said = await self._post("load_lora_adapter", body)
        if said.status_code >= httpx.codes.BAD_REQUEST and "already" not in said.text:
            raise ReleaseError(
                f"vLLM refuses adapter {name} ({said.status_code}: {said.text[:200]}): is "
                "VLLM_ALLOW_RUNTIME_LORA_UPDATING set there, and the folder shared with it?"
            )
        for other in others:
            await self.unload(other, keep)

    async def unload(self, name: str, keep: Collection[str]) -> None:  # noqa: ARG002
        """Have it let go; that it has no such adapter is no fault."""
        await self._post("unload_lora_adapter", {"lora_name": name})
        self._shared.remove(name)

    async def _post(self, route: str, body: dict[str, str]) -> httpx.Response:
        try:
            async with httpx.AsyncClient(timeout=CALL_SECONDS) as client:
                return await client.post(f"{self._url}/{route}", json=body, headers=self._headers)
        except httpx.HTTPError as error:
            raise ReleaseError(f"vLLM at {self._url} does not answer: {error!r}") from None


class TgiRollout:
    """TGI reads LORA_ADAPTERS when it starts: a file is written, and a command restarts it."""

    def __init__(
        self, shared: SharedFolder, file: Path, command: tuple[str, ...], wait_seconds: float
    ) -> None:
        self._shared = shared
        self._file = file
        self._command = command
        self._wait_seconds = wait_seconds

    async def load(self, name: str, folder: Path, keep: Collection[str]) -> None:
        """Share the adapter, name it in the file, restart; raises ReleaseError."""
        self._shared.put(name, folder)
        await self._restart_with({*keep, name})

    async def unload(self, name: str, keep: Collection[str]) -> None:
        """Leave it out of the file, and restart."""
        await self._restart_with(set(keep) - {name})

    async def _restart_with(self, wanted: Collection[str]) -> None:
        present = sorted(set(wanted) & self._shared.names())
        line = ",".join(f"{name}={self._shared.path_of(name)}" for name in present)
        FolderStore(self._file.parent).put(self._file.name, f"LORA_ADAPTERS={line}\n".encode())
        for other in self._shared.names() - set(present):
            self._shared.remove(other)
        await self._restart()

    async def _restart(self) -> None:
        program = self._command[0]
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
            )
        except OSError as error:
            raise ReleaseError(f"the restart command {program} cannot be run: {error}") from None
        try:
            async with asyncio.timeout(self._wait_seconds):
                _, said = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise ReleaseError(
                f"the restart command {program} had not ended after {self._wait_seconds:.0f} s"
            ) from None
        if process.returncode:
            why = said.decode("utf-8", "replace").strip()[-200:]
            raise ReleaseError(f"the restart command {program} failed: {why or process.returncode}")
