"""Makes single lines of the texts of a batch: no line end, no inner line, no more than the limit.

Comes in: texts as records hold them. Goes out: one line each, and apart what stood below the first
line of a text. Promise: nothing is dropped but what stands over the limit, and that is counted.
"""

from dataclasses import dataclass, field

_CUT_MARK = "…"


@dataclass(slots=True)
class TidyTexts:
    """Texts that can be joined by a NUL."""

    texts: list[str]
    joined: str
    """The texts, a NUL between each two."""
    rests: dict[int, str] = field(default_factory=dict)
    """What a text of several lines holds below its first."""
    truncated: list[int] = field(default_factory=list)


def tidy(texts: list[str], max_bytes: int) -> TidyTexts:
    """Part texts into first lines and rests; cut what is longer than `max_bytes` of UTF-8."""
    joined = "\0".join(texts)
    long = 4 * len(joined) > max_bytes and 4 * max(map(len, texts)) > max_bytes
    clean = joined.count("\0") == max(0, len(texts) - 1)
    if clean and not long and "\n" not in joined and "\r" not in joined:
        return TidyTexts(texts, joined)
    result = TidyTexts([], "")
    for index, text in enumerate(texts):
        if 4 * len(text) > max_bytes:
            encoded = text.encode("utf-8", "replace")
            if len(encoded) > max_bytes:
                text = encoded[: max_bytes - 4].decode("utf-8", "ignore") + _CUT_MARK
                result.truncated.append(index)
        if "\n" in text or "\r" in text or "\0" in text:
            text, rest = _first_line(text.replace("\0", "\ufffd"))
            if rest:
                result.rests[index] = rest
        result.texts.append(text)
    result.joined = "\0".join(result.texts)
    return result


def _first_line(text: str) -> tuple[str, str]:
    lines = text.strip("\r\n").split("\n", 1)
    first = lines[0].rstrip("\r")
    # A progress bar writes over its line: what was written last is what a person sees.
    first = first.rsplit("\r", 1)[-1] or first.replace("\r", " ")
    return first, lines[1] if len(lines) > 1 else ""
