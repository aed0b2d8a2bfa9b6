"""The settings of language models: which server judges, and what it may cost."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, model_validator

from streams.section import PREFIX, Positive, Section

Seconds = Annotated[float, Field(gt=0)]


class BackendName(StrEnum):
    """What answers: no server at all, text-generation-inference, or any OpenAI-compatible one."""

    BASELINE = "baseline"
    TGI = "tgi"
    OPENAI = "openai"


class ModelSettings(Section):
    """Which model judges and plans, and within which bounds."""

    backend: BackendName = Field(
        default=BackendName.BASELINE,
        description="baseline (no server), tgi, or openai (vLLM, llama.cpp, anything compatible).",
    )
    url: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="Where the server is; for openai with the path that ends in /v1.",
    )
    name: str | None = Field(
        default=None, description="The model's name there; unset: the one that the server names."
    )
    adapter: str | None = Field(
        default=None,
        min_length=1,
        description="Adapter that judges where none was released; unset: the base model.",
    )
    api_key: SecretStr | None = Field(
        default=None, description="Sent as a bearer token; unset: HF_TOKEN, where that is set."
    )
    max_concurrent: Positive | None = Field(
        default=None,
        description="Calls at once in one process; unset: what the server reports, else 4.",
    )
    call_timeout_seconds: Seconds = Field(
        default=30.0, description="Time of one question with its retries and its repair."
    )
    retries: int = Field(
        default=2, ge=0, description="Further tries where the server was busy or failed."
    )
    max_prompt_tokens: Positive = Field(default=3_000, description="Longest prompt.")
    max_classify_tokens: Positive = Field(
        default=400, description="Longest answer of classify, in tokens."
    )
    max_plan_tokens: Positive = Field(
        default=1_500, description="Longest answer of recommend, in tokens."
    )
    calls_per_service_hour: Positive = Field(
        default=60,
        description="Calls for one service and hour; beyond them the baseline judges.",
    )
    breaker_failures: Positive = Field(
        default=5, description="Failures in a row after which the server is left alone."
    )
    breaker_open_seconds: Seconds = Field(
        default=30.0, description="For how long; then one call tries whether it is back."
    )
    local_file: Path | None = Field(
        default=None,
        description="GGUF file that `worker model` serves; unset: the packaged Gemma 3 270M.",
    )
    local_adapter_folder: Path = Field(
        default=Path(".opspilot/adapters"), description="Where released adapters are kept."
    )
    local_host: str = Field(
        default="127.0.0.1", description="Address on which `worker model` serves."
    )
    local_port: int = Field(
        default=8012, ge=0, le=65_535, description="Its port; 0: any free port."
    )
    local_threads: Positive | None = Field(
        default=None, description="Threads that compute; unset: all cores but one, at most 8."
    )
    local_slots: Positive = Field(default=2, description="Questions that it answers at once.")
    local_context_tokens: Positive = Field(
        default=4_096, description="Longest prompt and answer together, in tokens."
    )
    prometheus_url: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="A Prometheus that an investigation may query.",
    )

    @model_validator(mode="after")
    def _a_server_has_an_address(self) -> "ModelSettings":
        if self.backend is not BackendName.BASELINE and self.url is None:
            raise ValueError(
                f"backend {self.backend} also needs {PREFIX}MODEL__URL, such as http://tgi:8080"
            )
        return self

    def with_hub_token(self, token: str | None) -> "ModelSettings":
        """Take Hugging Face's own variable for the key where a server judges and none is set."""
        if not token or self.api_key is not None or self.backend is BackendName.BASELINE:
            return self
        return self.model_copy(update={"api_key": SecretStr(token)})
