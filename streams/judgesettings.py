"""The settings of judging and planning: whose runbooks, and what may look for them by meaning."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, model_validator

from streams.section import PREFIX, Section

Seconds = Annotated[float, Field(gt=0)]


class JudgeSettings(Section):
    """How incidents are judged and planned."""

    runbook_folders: tuple[Path, ...] = Field(
        default=(), description="Folders of your own runbooks."
    )
    embeddings_url: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="A server with OpenAI's /embeddings, with the path that ends in /v1; it is "
        "asked where no runbook fits by words. Unset: words alone.",
    )
    embeddings_model: str = Field(
        default="default",
        min_length=1,
        description="The model's name there; servers of a single model take any.",
    )
    embeddings_api_key: SecretStr | None = Field(
        default=None, description="Sent to it as a bearer token."
    )
    embeddings_timeout_seconds: Seconds = Field(
        default=2.0, description="How long a plan waits for it; then words alone decide."
    )

    @model_validator(mode="after")
    def _a_key_has_a_server(self) -> "JudgeSettings":
        if self.embeddings_api_key is not None and self.embeddings_url is None:
            name = f"{PREFIX}JUDGE__EMBEDDINGS"
            raise ValueError(f"{name}_API_KEY also needs {name}_URL, such as http://tei:80/v1")
        return self
