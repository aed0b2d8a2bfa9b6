"""The tokenizer of a GGUF file makes the ids that SentencePiece's scores ask for."""

import gguf

from training.lora.gguf_tokenizer import merges_of, read_tokenizer

NORMAL, UNKNOWN, CONTROL, USER, BYTE = 1, 2, 3, 4, 6
SPACE = "\u2581"
PIECES = ["<unk>", "<s>", "</s>", "<turn>", "\n", *(f"<0x{b:02X}>" for b in range(256))]
TEMPLATE = "{% for turn in messages %}{{ turn['content'] }}{% endfor %}"
WORDS = ["a", "b", "c", SPACE, "ab", "bc", SPACE + "a", "abc", SPACE + "ab"]


def _write(path, kind: str = "llama"):
    writer = gguf.GGUFWriter(path, "gemma3")
    kinds = [UNKNOWN, CONTROL, CONTROL, CONTROL, USER, *[BYTE] * 256, *[NORMAL] * len(WORDS)]
    writer.add_tokenizer_model(kind)
    writer.add_token_list([*PIECES, *WORDS])
    # A later word is the worse merge.
    writer.add_token_scores([0.0] * len(PIECES) + [-float(n) for n in range(len(WORDS))])
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_the_best_score_merges_first(tmp_path):
    tokenizer = read_tokenizer(_write(tmp_path / "t.gguf"))

    def pieces(text: str) -> list[str]:
        return tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False).input_ids)

    assert pieces("abc") == ["abc"]
    assert pieces("aabc bc") == ["a", "abc", SPACE, "bc"]
    # "ab" scores better than a space with an "a", so it is made first.
    assert pieces(" ab") == [SPACE + "ab"]
    assert pieces("a\n<turn>b") == ["a", "\n", "<turn>", "b"]
    assert pieces("\u00fc") == ["<0xC3>", "<0xBC>"]
    text = " abc \u00fc\na"
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) == text
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<s>", "</s>")
    assert tokenizer.chat_template == TEMPLATE, "else training renders otherwise than the server"


def test_merges_are_all_ways_to_make_a_piece_best_first():
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    merges = merges_of(vocabulary, [-float(n) for n in range(len(WORDS))])
    assert merges[:3] == [("a", "b"), ("b", "c"), (SPACE, "a")]
    assert ("a", "bc") in merges and ("ab", "c") in merges


def test_another_kind_of_tokenizer_is_left_to_transformers(tmp_path):
    assert read_tokenizer(_write(tmp_path / "g.gguf", "gpt2")) is None
