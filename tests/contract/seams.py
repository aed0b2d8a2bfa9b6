"""A backend and what stands behind it, for the tests of this folder."""

from dataclasses import dataclass

from fakes.model_server import ModelServer
from fakes.openai_server import OpenAiServer
from fakes.tgi_server import TgiServer

from agents.llm.backends import make_backend
from agents.llm.protocol import Backend
from streams.modelsettings import ModelSettings

KEY = "hf_theSecretOfTheTests"
ADAPTERS = {"opspilot-1", "opspilot-2"}


@dataclass
class Seam:
    """One backend; `server` is the fake behind it, where there is one."""

    backend: Backend
    server: ModelServer | None = None

    @property
    def fake(self) -> ModelServer:
        assert self.server is not None
        return self.server


def make_server(name: str) -> ModelServer:
    servers = {
        "tgi": lambda: TgiServer(api_key=KEY, adapters=ADAPTERS),
        "vllm": lambda: OpenAiServer(api_key=KEY, adapters=ADAPTERS),
        "llamacpp": lambda: OpenAiServer(kind="llamacpp", api_key=KEY, adapters=ADAPTERS),
    }
    return servers[name]()


def backend_for(url: str, name: str = "openai", /, **settings: object) -> Backend:
    given = {"backend": name, "url": url, "api_key": KEY, "call_timeout_seconds": 120} | settings
    return make_backend(ModelSettings.model_validate(given))
