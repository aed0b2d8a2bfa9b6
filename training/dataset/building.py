"""Puts corrections and synthetic replay together into one dataset that neither leaks nor tells.

Comes in: corrections, a synthetic dataset, canaries. Goes out: one list of examples. Promise: pure;
what is corrected wins over what replay says of the same wording; replay outweighs corrections, so
that what was known is not unlearnt; nothing leaks into what is measured.
"""

from collections.abc import Sequence

from schemas.vocabulary import Category
from training.dataset.examples import Example, Split
from training.dataset.leakage import Wordings, check_leakage, evidence_words, without_leaks

LEAST_REPLAY = 4
"""Synthetic examples per correction at least; with fewer, corrections are thinned out."""


def combine_examples(
    corrections: Sequence[Example], replay: Sequence[Example], canaries: Sequence[Example]
) -> list[Example]:
    """Return all examples, canaries first, in one order; raises LeakageError should any leak."""
    said = _wordings(corrections)
    kept = [example for example in replay if not _contradicted(example, said)]
    most = sum(example.split is Split.TRAIN for example in kept) // LEAST_REPLAY
    learnt = _evenly([e for e in corrections if e.split is Split.TRAIN], most)
    held = [example for example in corrections if example.split is not Split.TRAIN]
    together = without_leaks([*canaries, *held, *learnt, *kept])
    check_leakage(together)
    return together


def _wordings(corrections: Sequence[Example]) -> Wordings[Category]:
    known: Wordings[Category] = Wordings()
    for correction in corrections:
        for words in evidence_words(correction):
            known.add(correction.category, words)
    return known


def _contradicted(example: Example, said: Wordings[Category]) -> bool:
    """Tell whether people said otherwise of the same wording."""
    found = (said.same(words) for words in evidence_words(example))
    return any(other is not None and other is not example.category for other in found)


def _evenly(examples: Sequence[Example], most: int) -> list[Example]:
    """Return at most so many, families taking turns: one wording does not drown the rest."""
    turns: dict[str, int] = {}
    ranked = []
    for example in examples:
        turns[example.family] = turns.get(example.family, 0) + 1
        ranked.append((turns[example.family], example.id, example))
    ranked.sort(key=lambda one: one[:2])
    chosen = {example.id for _, _, example in ranked[:most]}
    return [example for example in examples if example.id in chosen]
