"""How an adapter is trained: every number that changes what comes out, and nothing else.

Goes out: a Recipe, as a record that a card, a checkpoint and a child process can carry. Promise:
two runs with equal recipe, data and base give the same adapter on the same machine.
"""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Quantize(StrEnum):
    """How the base's weights are held while it is trained."""

    AUTO = "auto"
    """4-bit on a GPU, whole otherwise."""
    NF4 = "nf4"
    NONE = "none"


class Device(StrEnum):
    """Where training runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Precision(StrEnum):
    """What the base computes in; adapters are always held in 32 bits."""

    AUTO = "auto"
    """bf16 where the machine computes in it, 32-bit on a CPU that would have to imitate it."""
    BF16 = "bf16"
    FP32 = "fp32"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to train."""

    epochs: int = 3
    batch: int = 8
    learning_rate: float = 1e-3
    """At the first step; it falls to 0 on a straight line."""
    max_tokens: int = 2_048
    """Longer examples are left out: a cut one would teach to stop in the middle."""
    seed: int = 1
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    clip: float = 1.0
    """Largest norm of a step's gradient."""
    patience: int = 2
    """Epochs without a better validation loss after which training ends."""
    quantize: Quantize = Quantize.AUTO
    device: Device = Device.AUTO
    precision: Precision = Precision.AUTO
    recompute: bool = True
    """Work activations out again on the way back: half the memory, a quarter more time."""
    targets: tuple[str, ...] = field(default=("q_proj", "k_proj", "v_proj", "o_proj"))

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "max_tokens", "rank", "alpha", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
        if not 0 < self.learning_rate < 1:
            raise ValueError(f"learning_rate is {self.learning_rate}; give one between 0 and 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; give one from 0 up to 1")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Recipe":
        """Return the recipe that `to_dict` wrote."""
        return cls(
            **{
                **values,
                "quantize": Quantize(values["quantize"]),
                "device": Device(values["device"]),
                "precision": Precision(values["precision"]),
                "targets": tuple(values["targets"]),
            }
        )
