"""Makes a prompt fit its budget of tokens by offering less evidence, with few counts.

Comes in: a way to build the prompt with so many items, a way to count, the most tokens. Goes out:
the prompt with nearly as many items as fit. Promise: at most four counts, none where the bytes
alone show that it fits; raises TooLongError where it does not fit even without items.
"""

from collections.abc import Awaitable, Callable

from agents.llm.errors import TooLongError
from agents.logic.prompting.prompts import Prompt
from agents.logic.prompting.questions import DEFAULT_ITEMS

_CAUTION = 0.95
"""Items differ in length: those that are kept, being the most telling, may be the longer ones."""

Build = Callable[[int], Prompt]
CountTokens = Callable[[str], Awaitable[int]]


async def fit(
    build: Build, count_tokens: CountTokens, most_tokens: int, items: int = DEFAULT_ITEMS
) -> Prompt:
    """Return the prompt with at most `items`; raises TooLongError, or what counting raises."""
    whole = build(items)
    if len(whole.text.encode()) <= most_tokens:
        return whole  # no tokenizer makes more than one token of a byte
    tokens = await count_tokens(whole.text)
    if tokens <= most_tokens:
        return whole
    bare = build(0)
    bare_tokens = await count_tokens(bare.text)
    if bare_tokens > most_tokens:
        raise TooLongError(
            f"the prompt without any evidence has {bare_tokens} tokens and may have {most_tokens}: "
            "raise OPSPILOT_MODEL__MAX_PROMPT_TOKENS"
        )
    items = whole.items
    for _ in range(2):
        per_item = (tokens - bare_tokens) / max(1, items)
        items = min(items - 1, int(_CAUTION * (most_tokens - bare_tokens) / max(per_item, 1e-9)))
        if items <= 0:
            break
        fewer = build(items)
        tokens = await count_tokens(fewer.text)
        if tokens <= most_tokens:
            return fewer
    return bare
