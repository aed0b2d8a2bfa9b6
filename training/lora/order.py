"""One adapter to be trained, as a record that a file can carry to a child process."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from training.lora.recipe import Recipe

ADAPTER_FILE = "adapter.gguf"
"""The adapter for llama.cpp, beside peft's own files."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to train, on what, where to."""

    name: str
    """What the adapter will be called."""
    base: str
    """A package, a file, a folder, or a name on the hub."""
    data: Path
    out: Path
    """The folder of the adapter; it appears whole."""
    work: Path
    """Where checkpoints are kept until then."""
    cache: Path
    """Where bases are kept that must be converted."""
    recipe: Recipe

    def fingerprint(self, data_digest: str) -> str:
        """Return what a checkpoint must carry to be of this very run."""
        parts = [self.base, data_digest, self.recipe.to_dict()]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """Return the order as JSON."""
        paths = {name: str(getattr(self, name)) for name in ("data", "out", "work", "cache")}
        plain = {"name": self.name, "base": self.base, "recipe": self.recipe.to_dict()}
        return json.dumps({**plain, **paths})

    @classmethod
    def from_json(cls, text: str) -> "Order":
        """Return the order that `to_json` wrote."""
        found = json.loads(text)
        paths = {name: Path(found[name]) for name in ("data", "out", "work", "cache")}
        recipe = Recipe.from_dict(found["recipe"])
        return cls(name=found["name"], base=found["base"], recipe=recipe, **paths)
