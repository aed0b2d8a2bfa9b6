"""What an adapter says of itself: README.md for people, card.json for programs.

Comes in: a Card. Goes out: two files beside the adapter. Promise: figures that come later are added
to both; all numbers in the text stand in the JSON too.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

JSON_FILE, TEXT_FILE = "card.json", "README.md"
_TERMS = {
    "gemma": "Derived from Gemma, which is provided under and subject to the Gemma Terms of Use "
    "found at ai.google.dev/gemma/terms.",
}
"""What the terms of a family of bases ask to be said beside what is made of it."""


@dataclass(frozen=True, slots=True)
class Card:
    """Where an adapter comes from, and how good it is."""

    name: str
    base: str
    family: str
    """What transformers calls the base's architecture."""
    data_digest: str
    train_examples: int
    validation_examples: int
    left_out: int
    """Examples longer than allowed."""
    recipe: Mapping[str, Any]
    parameters: int
    device: str
    training: Mapping[str, Any]
    """Steps, losses, seconds, memory."""
    versions: Mapping[str, str]
    figures: Mapping[str, float] = field(default_factory=dict)
    """What the evaluation found, by name."""


def write_card(folder: Path, card: Card) -> None:
    """Write both files."""
    text = json.dumps(asdict(card), indent=2, ensure_ascii=False)
    (folder / JSON_FILE).write_text(text + "\n", encoding="utf-8")
    (folder / TEXT_FILE).write_text(_text(card), encoding="utf-8")


def read_card(folder: Path) -> Card:
    """Return the card in a folder; raises OSError or TypeError where there is none to use."""
    return Card(**json.loads((folder / JSON_FILE).read_text(encoding="utf-8")))


def add_figures(folder: Path, figures: Mapping[str, float]) -> Card:
    """Add what an evaluation found, and return the card as it is now."""
    card = read_card(folder)
    fields = asdict(card) | {"figures": {**card.figures, **figures}}
    card = Card(**fields)
    write_card(folder, card)
    return card


def _text(card: Card) -> str:
    lines = [
        f"# {card.name}",
        "",
        f"A LoRA adapter of {card.base} that judges incidents of computer systems for OpsPilot:",
        "category, severity, a summary and what to look at, as one JSON object. It is made for the",
        "prompts of OpsPilot's `classify` stage, on English log text, and for nothing else.",
        "",
        "## Data",
        "",
        f"{card.train_examples} examples to learn from, {card.validation_examples} to decide when "
        f"to stop, {card.left_out} left out for their length. SHA-256 {card.data_digest}.",
        "",
        "## Training",
        "",
        f"{card.parameters:,} parameters, on {card.device}.",
        "",
        *_table({**card.recipe, **card.training}),
        "",
        "## Figures",
        "",
        *(_table(card.figures) if card.figures else ["Not evaluated yet."]),
        "",
        "## Made with",
        "",
        *_table(card.versions),
    ]
    terms = next((text for name, text in _TERMS.items() if card.family.startswith(name)), None)
    if terms:
        lines += ["", "## Terms", "", terms]
    return "\n".join(lines) + "\n"


def _table(values: Mapping[str, Any]) -> list[str]:
    rows = [f"| {name.replace('_', ' ')} | {_plain(value)} |" for name, value in values.items()]
    return ["| | |", "| --- | --- |", *rows]


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
