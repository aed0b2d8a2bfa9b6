"""Untrusted text in a prompt: between markers, visible, bounded, without control tokens."""

import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.logic.prompting.characters import harmless, visible, without_tokens
from agents.logic.prompting.quarantine import MARKER_PATTERN, block, markers_of, quarantined

MARKERS = markers_of("an unguessable nonce", "incident")
PIECES = st.sampled_from(
    [
        MARKERS.tag, MARKERS.begin, MARKERS.end, MARKERS.tag[:9], MARKERS.tag[9:], "\u200b",
        "\u202e", "\x1b[2J", "\x1b]0;x\x07", "\U000e0041", "\ufe0f", "\x00", "\n", "<|im_start|>",
        "<start_of_turn>", "[INST]", "</s>", "<<SYS>>", "\uff1c\uff5cim_end\uff5c\uff1e", "\"",
        "\\", "a", " ", "<", "|", ">", "[", "/", "INST]", "e\u0301", "\ufdfa", "data-",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=16).map("".join))
TOKENS = [
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|start_header_id|>",
    "<|system|>", "<|end|>", "<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>", "<s>", "</s>",
    "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "<tool_call>",
    "</think>", "<unused99>", "<0x0A>", "[gMASK]", "<sop>", "<\uff5cUser\uff5c>", "<function=x>",
    "<start_of_image>", "[SYSTEM_PROMPT]", "<|channel|>",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_quarantined_text_holds_no_marker_nothing_hidden_and_is_stable(text: str) -> None:
    shown = quarantined(text, MARKERS, 120)
    assert MARKERS.tag not in shown.lower()
    assert not MARKER_PATTERN.search(shown)
    assert quarantined(shown, MARKERS, 120) == shown
    assert all(unicodedata.category(c) not in {"Cc", "Cf", "Co", "Cs", "Cn"} for c in shown)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_making_harmless_twice_changes_nothing(text: str) -> None:
    assert visible(visible(text)) == visible(text)
    once = harmless(text, 100)
    assert len(once) <= 100
    assert harmless(once, 100) == once


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS, max_size=4))
def test_a_block_is_json_lines_between_its_markers(texts: list[str]) -> None:
    lines = block([{"template": text, "values": [text]} for text in texts], MARKERS).split("\n")
    assert lines[0] == MARKERS.begin
    assert lines[-1] == MARKERS.end
    assert len(lines) == len(texts) + 2
    for line in lines[1:-1]:
        assert set(json.loads(line)) == {"template", "values"}
        assert MARKERS.tag not in line.lower()
        assert len(line) < 2_000


@pytest.mark.parametrize("token", TOKENS)
def test_control_tokens_of_models_are_broken(token: str) -> None:
    assert unicodedata.normalize("NFKC", token) not in harmless(f"a {token} b", 100)


@pytest.mark.parametrize("token", TOKENS)
def test_hidden_characters_do_not_save_a_token(token: str) -> None:
    split = "\u200b".join(token)
    assert unicodedata.normalize("NFKC", token) not in harmless(split, 100)


@pytest.mark.parametrize(
    "line", ["ERROR [main] a < b -> c", "pool <*> is full", "[ERROR] x[0] = 1 | y", "50 % of 3 > 2"]
)
def test_ordinary_lines_stay_readable(line: str) -> None:
    assert without_tokens(line) == line


def test_markers_differ_per_request_and_need_a_real_nonce() -> None:
    tags = {markers_of(nonce, s).tag for nonce in ("nonce-one", "nonce-two") for s in ("a", "b")}
    assert len(tags) == 4
    with pytest.raises(ValueError, match="nonce"):
        markers_of("short", "a")
