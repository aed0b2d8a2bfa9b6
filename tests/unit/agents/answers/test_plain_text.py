"""Text of a model that people read: nothing in it runs, leads away or hides."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.logic.answers.text import LINK_REMOVED, URL, links_of, plain_text
from agents.logic.prompting.quarantine import MARKER_PATTERN

PIECES = st.sampled_from(
    [
        "<b>", "</b>", "<script>", "alert(1)", "</script>", "<scr<script>ipt>", "![x](", ")", "[a]",
        "(http://evil.example/x)", "http://", "hxxp[:]", "www.", "javascript:", "&lt;", "&amp;lt;",
        "&#60;", "<!--", "-->", "`", "```", "# ", "\u202e", "\u200b", "\U000e0041", "\x1b[31m",
        "[data-0123456789ab]", "data-0123456789ab", "<|im_start|>", "</s>", "<host>", "e\u0301",
        "evil.example/x", "10.0.0.1/x", "plain words", "//cdn.example", "<", ">", "|", "data:", ":",
        "](", "0000000000000000", "WWW.<", "www.a.example/<host>",
    ]
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(PIECES, max_size=14).map("".join),
    st.lists(PIECES, min_size=20, max_size=60).map("".join),
)
ALLOWED = "https://wiki.example/runbook"


@settings(max_examples=400, deadline=None)
@given(TEXTS)
@example("0:WWW.<000000000:0.AA/::<000000000:DATA:0<000:WWW.<000000000:WWW.<host>")
@example("](")
def test_what_comes_out_is_plain_and_stays_so(text: str) -> None:
    shown = plain_text(text, 120)
    assert len(shown) <= 120
    assert plain_text(shown, 120) == shown
    assert not URL.search(shown)
    assert not MARKER_PATTERN.search(shown)
    assert "<script" not in shown.lower()
    assert "](" not in shown
    assert all(unicodedata.category(c) not in {"Cc", "Cf", "Co", "Cs", "Cn"} for c in shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Disk <img src=x onerror=alert(1)> is full", "Disk is full"),
        ("See [the fix](https://evil.example/a) now", f"See the fix {LINK_REMOVED} now"),
        ("Go to evil.example/install.sh first", f"Go to {LINK_REMOVED} first"),
        ("Open javascript:alert() there", f"Open {LINK_REMOVED}) there"),
        ("Ping <host> on port <port>.", "Ping <host> on port <port>."),
        ("The pool `orders` is full", "The pool orders is full"),
        ("CPU at 95 % & rising, a -> b", "CPU at 95 % & rising, a -> b"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;Late replies", "Late replies"),
    ],
)
def test_markup_and_links_go_and_prose_stays(text: str, shown: str) -> None:
    assert plain_text(text, 200) == shown


def test_a_runbooks_link_stays_and_a_quoted_one_leads_nowhere() -> None:
    text = f"Read {ALLOWED}; clients call http://a.example/x."
    shown = plain_text(
        text, 200, allowed=frozenset({ALLOWED}), quoted=frozenset({"http://a.example/x"})
    )
    assert ALLOWED in shown
    assert "http://a" not in shown
    assert "a[.]example" in shown
    assert links_of(shown) == {ALLOWED}
