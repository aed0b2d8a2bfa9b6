"""The tokenizer that a GGUF file carries, as transformers takes it.

Comes in: a GGUF file whose tokenizer is SentencePiece's byte-pair encoding (`llama`). Goes out: a
fast tokenizer. Promise: it makes the same ids as llama.cpp does of the same text (transformers
5.17 makes a unigram model of such a file, which splits most words into letters).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gguf import GGUFReader
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
from transformers import PreTrainedTokenizerFast

_SENTENCEPIECE = "llama"
_CONTROL, _USER_DEFINED = 3, 4
_SPACE = "\u2581"


def read_tokenizer(file: Path) -> Any | None:
    """Return the tokenizer; None where the file holds one of another kind."""
    reader = GGUFReader(file)

    def field(name: str, default: Any = None) -> Any:
        found = reader.get_field(f"tokenizer.ggml.{name}")
        return default if found is None else found.contents()

    if field("model") != _SENTENCEPIECE or field("scores") is None:
        return None
    tokens: list[str] = field("tokens")
    kinds: list[int] = field("token_type")
    special = {
        f"{role}_token": tokens[number]
        for role, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding"))
        if (number := field(f"{key}_token_id")) is not None
    }
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=merges_of(vocabulary, field("scores")),
            unk_token=special.get("unk_token"),
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    leads = bool(field("add_space_prefix", True))
    replace = normalizers.Replace(" ", _SPACE)
    tokenizer.normalizer = (
        normalizers.Sequence([normalizers.Prepend(_SPACE), replace]) if leads else replace
    )
    steps = [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence(
        [*steps, decoders.Strip(content=" ", left=1)] if leads else steps
    )
    tokenizer.add_special_tokens(_added(tokens, kinds, _CONTROL))
    tokenizer.add_tokens(_added(tokens, kinds, _USER_DEFINED))
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call, unused-ignore]
        tokenizer_object=tokenizer,
        # The server renders questions by the template of the file; training must do so too.
        chat_template=template_of(reader),
        **special,
    )


def template_of(reader: GGUFReader) -> str | None:
    """Return the chat template that the file carries, if any."""
    found = reader.get_field("tokenizer.chat_template")
    return None if found is None else str(found.contents())


def merges_of(vocabulary: Mapping[str, int], scores: Sequence[float]) -> list[tuple[str, str]]:
    """Return which two pieces make a third, the best first: SentencePiece keeps only scores.

    Every way to part a piece into two pieces is a merge, as good as the piece that it makes.
    """
    found = [
        (-scores[number], number, piece[:cut], piece[cut:])
        for piece, number in vocabulary.items()
        for cut in range(1, len(piece))
        if piece[:cut] in vocabulary and piece[cut:] in vocabulary
    ]
    return [(left, right) for _, _, left, right in sorted(found)]


def _added(tokens: Sequence[str], kinds: Sequence[int], kind: int) -> list[AddedToken]:
    return [
        AddedToken(token, normalized=False, special=kind == _CONTROL)
        for token, its in zip(tokens, kinds, strict=True)
        if its == kind
    ]
