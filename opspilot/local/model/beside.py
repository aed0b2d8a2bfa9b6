"""The local model beside a stack: its process, and what the judging stages are told of it.

Comes in: settings, a folder for logs. Goes out: a running model server, and the environment that
points stages at it. Promise: what is missing is said before anything is started; it answers when
this yields; it has ended when the block has.
"""

import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from opspilot.local.environment import LocalEnvironment
from opspilot.local.model.files import ENGINE, INSTALL, find_model
from opspilot.local.ports import free_port, is_free
from opspilot.local.supervisor import Supervisor
from opspilot.local.worker import stage_worker
from streams.errors import ConfigurationError
from streams.modelsettings import BackendName, ModelSettings
from streams.section import PREFIX

READY_SECONDS = 120.0
# A model of this size reads some 200 tokens a second on a free core and writes some 35: a prompt of
# 2,000 tokens and an answer of 600 take about half a minute, and longer where cores are shared.
SMALL_MODEL_BOUNDS = {
    "CALL_TIMEOUT_SECONDS": "90",
    "MAX_PROMPT_TOKENS": "2000",
    "MAX_CLASSIFY_TOKENS": "250",
    "MAX_PLAN_TOKENS": "600",
}


@dataclass(frozen=True)
class RunningModel:
    """A model server that answers."""

    url: str
    """Where the OpenAI protocol is spoken, with the path /v1."""
    supervisor: Supervisor


@contextmanager
def running_model(
    settings: ModelSettings, logs: Path, say: Callable[[str], None]
) -> Iterator[RunningModel]:
    """Start `worker model`, wait until it answers, end it at the end; raises OpsPilotError."""
    check_files(settings, LocalEnvironment.read(os.environ, Path.home()).cache_directory)
    port = settings.local_port or free_port()
    if not is_free(port, settings.local_host):
        raise ConfigurationError(
            f"the model server cannot listen on {settings.local_host}:{port} (it is taken): "
            f"set {PREFIX}MODEL__LOCAL_PORT to a free port, or to 0"
        )
    spec = replace(stage_worker("model", {f"{PREFIX}MODEL__LOCAL_PORT": str(port)}), name="model")
    say("the local model starts")
    with Supervisor([spec], logs) as supervisor:
        supervisor.wait_ready(READY_SECONDS)
        url = f"http://{settings.local_host}:{port}/v1"
        say(f"the local model answers at {url}")
        yield RunningModel(url, supervisor)


def check_files(settings: ModelSettings, cache_directory: Path) -> None:
    """Raise ConfigurationError when engine or model are missing: one sentence, before any start."""
    if importlib.util.find_spec(ENGINE) is None:
        raise ConfigurationError(f"the local model needs the package {ENGINE}: {INSTALL}")
    find_model(settings.local_file, cache_directory)


def judge_variables(
    url: str, slots: int, judges: int, environ: Mapping[str, str], adapter: str | None = None
) -> dict[str, str]:
    """Return what points `judges` stage processes at the server, sharing its slots.

    `adapter` judges until another is released.

    A bound that the environment sets already is left as it is.
    """
    bounds = {"MAX_CONCURRENT": str(max(1, slots // max(1, judges))), **SMALL_MODEL_BOUNDS}
    if adapter is not None:
        bounds["ADAPTER"] = adapter
    variables = {f"{PREFIX}MODEL__{name}": value for name, value in bounds.items()}
    return {
        **{name: value for name, value in variables.items() if name not in environ},
        f"{PREFIX}MODEL__BACKEND": BackendName.OPENAI.value,
        f"{PREFIX}MODEL__URL": url,
    }
