"""From what a model wrote to a JSON object, and from text to a count of tokens without tokenizer.

Comes in: the text of an answer. Goes out: the object, or a BadAnswerError that keeps the text for
the repair. Promise: pure; no text whatever raises anything else.
"""

import re
from typing import Any

import msgspec

from agents.llm.errors import BadAnswerError

_FENCE = re.compile(r"^```(?:json)?\s*\n(.*)\n\s*```$", re.DOTALL)
"""Servers that ignore a schema let models wrap their JSON as Markdown."""
_BYTES_PER_TOKEN = 2
"""Fewest bytes a token has on average in log text, where digits count one token each."""


def parse_object(text: str, *, is_cut: bool = False) -> dict[str, Any]:
    """Return the JSON object that `text` is; `is_cut` says that the server stopped at the limit.

    Raises BadAnswerError for anything else than one object; half a pair of surrogates, NaN and
    endless nesting are refused too.
    """
    if is_cut:
        raise BadAnswerError("the answer was cut off at its limit of tokens", text)
    bare = text.strip()
    fenced = _FENCE.match(bare)
    try:
        found = msgspec.json.decode((fenced[1] if fenced else bare).encode())
    except (ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:120]
        raise BadAnswerError(f"the answer is not JSON: {why}", text) from None
    if not isinstance(found, dict):
        kind = type(found).__name__
        raise BadAnswerError(f"the answer is JSON, but a {kind} and not an object", text)
    return found


def estimate_tokens(text: str) -> int:
    """Return a count that is rather too high: one token for each two bytes of UTF-8.

    Log text has two and a half to four bytes a token with the tokenizers of today's models; so a
    prompt that fits by this count fits.
    """
    return -(-len(text.encode("utf-8", errors="replace")) // _BYTES_PER_TOKEN)
