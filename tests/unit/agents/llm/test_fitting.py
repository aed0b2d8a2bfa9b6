"""Prompts that fit their budget of tokens, with few counts."""

import pytest

from agents.llm.errors import TooLongError, UnreachableError
from agents.llm.fitting import fit
from agents.llm.protocol import Message
from agents.logic.prompting.prompts import Prompt
from agents.logic.prompting.quarantine import markers_of

HEAD = 100
PER_ITEM = 50
AVAILABLE = 12


class Tokenizer:
    """Counts a token per word, and how often it was asked."""

    def __init__(self) -> None:
        self.counts = 0

    async def count(self, text: str) -> int:
        self.counts += 1
        return len(text.split())


def build(items: int) -> Prompt:
    shown = min(items, AVAILABLE)
    words = ["word"] * (HEAD + PER_ITEM * shown)
    return Prompt(
        messages=(Message("user", " ".join(words)),),
        schema={},
        version="v",
        name="classify",
        markers=markers_of("12345678", "x"),
        items=shown,
        items_available=AVAILABLE,
    )


@pytest.mark.parametrize(("budget", "items"), [(700, 12), (400, 5), (250, 2), (120, 0)])
async def test_as_much_evidence_as_fits_and_few_counts(budget: int, items: int):
    tokenizer = Tokenizer()
    prompt = await fit(build, tokenizer.count, budget, AVAILABLE)
    assert prompt.items == items
    assert len(prompt.text.split()) <= budget
    assert tokenizer.counts <= 4


async def test_what_fits_by_its_bytes_is_not_counted():
    tokenizer = Tokenizer()
    prompt = await fit(build, tokenizer.count, 10_000, AVAILABLE)
    assert prompt.items == AVAILABLE
    assert tokenizer.counts == 0


async def test_items_of_unequal_length_end_within_the_budget():
    def uneven(items: int) -> Prompt:
        made = build(0)
        words = ["word"] * (HEAD + sum(400 if n == 0 else 5 for n in range(items)))
        return Prompt(
            (Message("user", " ".join(words)),), {}, "v", "classify", made.markers, items, 12
        )

    tokenizer = Tokenizer()
    prompt = await fit(uneven, tokenizer.count, 300, AVAILABLE)
    assert len(prompt.text.split()) <= 300
    assert tokenizer.counts <= 4


async def test_a_prompt_that_never_fits_is_said_with_the_setting_that_helps():
    with pytest.raises(TooLongError, match="OPSPILOT_MODEL__MAX_PROMPT_TOKENS"):
        await fit(build, Tokenizer().count, HEAD - 1, AVAILABLE)


async def test_a_server_that_cannot_count_now_says_so():
    async def dead(text: str) -> int:
        raise UnreachableError("refused")

    with pytest.raises(UnreachableError):
        await fit(build, dead, 300, AVAILABLE)
