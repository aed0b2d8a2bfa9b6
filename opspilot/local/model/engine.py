"""llama.cpp's server inside this process, through xllamacpp.

Comes in: a model, its adapters, bounds. Goes out: an HTTP server that speaks the OpenAI protocol,
and its counters. Promise: no more threads, slots and context than were asked for; what cannot be
loaded is one sentence. Loading holds Python still; closing waits for callers, so drain first.
"""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.logic.prompting.templates import GEMMA_TEMPLATE
from opspilot.local.model.files import ENGINE, AdapterFile, ModelFile
from opspilot.local.ports import is_free
from streams.errors import ConfigurationError
from streams.section import PREFIX

BATCH_TOKENS = 256
"""Tokens of prompts read in one step: what another slot, and the counters, wait for at most."""
PROMPT_CACHE_MIB = 128
SPARE_HTTP_THREADS = 16
"""So that as many callers may stand in line and the server still says how it is."""
VERBOSITY = {"crit": 1, "error": 1, "warn": 1, "info": 3, "debug": 4}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the server may use."""

    host: str
    port: int
    threads: int
    slots: int
    context_tokens: int
    """Of one slot: prompt and answer together."""
    api_key: str | None = None
    log_level: str = "warn"


@dataclass(frozen=True, slots=True)
class Load:
    """What the server had to do when it was asked."""

    waiting: int
    """Requests under way or in line."""
    steps: int
    """Steps of the model since the start; they grow while it works."""


def thread_budget(cores: int, wanted: int | None) -> int:
    """Return how many threads compute: those asked for, else all cores but one, which the stages
    need, and at most eight, beyond which small models gain nothing."""
    return wanted or max(1, min(8, cores - 1))


def chat_template(model: ModelFile) -> str | None:
    """Return the template to set: none where the model brings its own or is no Gemma."""
    if model.header.chat_template is None and model.header.architecture.startswith("gemma"):
        return GEMMA_TEMPLATE
    return None


def parse_load(metrics: str) -> Load:
    """Read the counters out of llama.cpp's Prometheus text; absent ones count as 0."""
    values: dict[str, float] = {}
    for line in metrics.splitlines():
        name, _, value = line.partition(" ")
        if name.startswith("llamacpp:"):
            values[name.removeprefix("llamacpp:")] = float(value)
    waiting = values.get("requests_processing", 0) + values.get("requests_deferred", 0)
    return Load(int(waiting), int(values.get("n_decode_total", 0)))


class Engine:
    """One running server; `close` ends it."""

    def __init__(self, model: ModelFile, adapters: Sequence[AdapterFile], bounds: Bounds) -> None:
        """Load and listen; ConfigurationError when either cannot be done."""
        if bounds.port and not is_free(bounds.port, bounds.host):
            raise ConfigurationError(
                f"the model server cannot listen on {bounds.host}:{bounds.port} (it is taken): "
                f"set {PREFIX}MODEL__LOCAL_PORT to a free port, or to 0"
            )
        xllamacpp: Any = importlib.import_module(ENGINE)
        parameters = _parameters(xllamacpp, model, bounds)
        parameters.lora_adapters = [_lora(xllamacpp, one) for one in adapters]
        if adapters:
            # llama.cpp keeps what it has read of a prompt without regard to the adapter that read
            # it, so the next answer would come from a mixture (ggml-org/llama.cpp issue 26207).
            parameters.cache_prompt = False
            parameters.cache_ram_mib = 0
        try:
            self._server = xllamacpp.Server(parameters)
        except RuntimeError as error:
            beside = f" with {len(adapters)} adapters" if adapters else ""
            raise ConfigurationError(
                f"llama.cpp cannot load {model.path}{beside} ({error}): the file may be cut off or "
                f"too new, or memory short; {PREFIX}WORKER__LOG_LEVEL=info shows what it says"
            ) from None

    @property
    def url(self) -> str:
        """Return where the OpenAI protocol is spoken."""
        return f"{self._server.listening_address}/v1"

    def metrics(self) -> str:
        """Return llama.cpp's own metrics as Prometheus text; waits for the step under way."""
        return str(self._server.handle_metrics())

    def close(self) -> None:
        """Stop listening and free the memory; with answers under way it may wait for ever."""
        del self._server


def _parameters(xllamacpp: Any, model: ModelFile, bounds: Bounds) -> Any:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model.path)
    parameters.model_alias = {model.name}
    parameters.hostnames = [bounds.host]
    parameters.port = bounds.port
    parameters.api_keys = [bounds.api_key] if bounds.api_key else []
    parameters.n_parallel = bounds.slots
    parameters.n_ctx = bounds.slots * bounds.context_tokens
    parameters.n_batch = parameters.n_ubatch = BATCH_TOKENS
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = bounds.threads
    parameters.n_threads_http = bounds.slots + SPARE_HTTP_THREADS
    parameters.cache_ram_mib = PROMPT_CACHE_MIB
    parameters.lora_init_without_apply = True
    parameters.endpoint_metrics = True
    parameters.endpoint_slots = False  # it shows prompts
    parameters.ui = False
    parameters.offline = True
    parameters.fit_params = False  # what was asked for, or an error
    parameters.verbosity = VERBOSITY[bounds.log_level]
    template = chat_template(model)
    if template is not None:
        parameters.chat_template = template
    return parameters


def _lora(xllamacpp: Any, adapter: AdapterFile) -> Any:
    information = xllamacpp.CommonAdapterLoraInfo()
    information.path = str(adapter.path)
    information.scale = 0.0  # a request that names no adapter gets the base
    return information
