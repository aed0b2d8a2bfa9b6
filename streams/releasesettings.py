"""The settings of releases: where adapters are kept, and how a model server gets a new one."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from streams.section import PREFIX, Positive, Section


class ServerKind(StrEnum):
    """How a server takes a new adapter."""

    LOCAL = "local"
    VLLM = "vllm"
    TGI = "tgi"


class ReleaseSettings(Section):
    """Where trained adapters are kept, and how one comes into service."""

    registry: str = Field(
        default=".opspilot/registry",
        description="Folder or URL (s3://bucket/prefix) where trained adapters are kept.",
    )
    server: ServerKind = Field(
        default=ServerKind.LOCAL,
        description="local (`worker model`), vllm (loads at run time), tgi (restarts).",
    )
    adapter_folder: Path = Field(
        default=Path(".opspilot/served"),
        description="For vllm and tgi: folder shared with the server, where releases are put.",
    )
    server_folder: str | None = Field(
        default=None, description="The same folder as the server sees it; unset: by the same path."
    )
    adapters_file: Path | None = Field(
        default=None, description="For tgi: environment file that gets the line LORA_ADAPTERS=..."
    )
    restart_command: tuple[str, ...] = Field(
        default=(), description="For tgi: JSON list, the program and arguments that restart it."
    )
    wait_seconds: Positive = Field(
        default=300, description="Time for a server to answer with a new adapter."
    )
    challenger_share: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=0.2, description="Share of the incidents that a new adapter judges at first."
    )

    @model_validator(mode="after")
    def _tgi_can_be_restarted(self) -> "ReleaseSettings":
        if self.server is ServerKind.TGI and not (self.adapters_file and self.restart_command):
            raise ValueError(
                f"server tgi also needs {PREFIX}RELEASE__ADAPTERS_FILE, such as /srv/tgi/lora.env, "
                f'and {PREFIX}RELEASE__RESTART_COMMAND, such as ["systemctl", "restart", "tgi"]'
            )
        return self
