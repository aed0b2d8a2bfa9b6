"""Examples of one step side by side in one row, what their questions share read only once.

Comes in: encoded examples. Goes out: ids, positions, who may look at whom, where the answers are.
Promise: every token sees exactly the tokens it would see alone, at the same positions: the loss is
that of the examples one by one. The questions of one stage begin with the same few hundred tokens,
and nothing is padded, so a step costs about half.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from training.lora.encode import Encoded

SHARED = -1


@dataclass(frozen=True, slots=True)
class Packed:
    """One row of tokens."""

    ids: torch.Tensor
    """(1, tokens)"""
    positions: torch.Tensor
    """(1, tokens): the place of each token in its own example."""
    owners: torch.Tensor
    """(tokens): the example of each token; SHARED for those that all begin with."""
    sources: torch.Tensor
    """Indices of the tokens whose next token is part of an answer."""
    targets: torch.Tensor
    """Those next tokens."""

    def visible(self, window: int | None) -> torch.Tensor:
        """Return (1, 1, tokens, tokens): row may look at column; `window`: so far back at most."""
        places = self.positions[0]
        distance = places[:, None] - places[None, :]
        own = self.owners[:, None] == self.owners[None, :]
        shared = self.owners[None, :] == SHARED
        seen = (own | shared) & (distance >= 0)
        if window is not None:
            seen &= distance < window
        return seen[None, None]


def pack(examples: Sequence[Encoded], device: str = "cpu") -> Packed:
    """Put at least one example into one row."""
    shared = _shared_length(examples)
    ids = list(examples[0].ids[:shared])
    positions = list(range(shared))
    owners = [SHARED] * shared
    sources: list[int] = []
    targets: list[int] = []
    for owner, example in enumerate(examples):
        begin = len(ids) - shared  # where this example's own tokens stand, less their position
        ids += example.ids[shared:]
        positions += range(shared, len(example.ids))
        owners += [owner] * (len(example.ids) - shared)
        sources += [begin + place - 1 for place in range(example.prompt_length, len(example.ids))]
        targets += example.ids[example.prompt_length :]
    return Packed(
        ids=torch.tensor([ids], device=device),
        positions=torch.tensor([positions], device=device),
        owners=torch.tensor(owners, device=device),
        sources=torch.tensor(sources, device=device),
        targets=torch.tensor(targets, device=device),
    )


def _shared_length(examples: Sequence[Encoded]) -> int:
    """Return how many tokens all questions begin with; one of each question stays its own.

    The last token of a question predicts the first of the answer, so it must belong to one example.
    """
    if len(examples) == 1:
        return 0
    most = min(example.prompt_length for example in examples) - 1
    first, *others = (example.ids for example in examples)
    for place in range(max(0, most)):
        if any(other[place] != first[place] for other in others):
            return place
    return max(0, most)
