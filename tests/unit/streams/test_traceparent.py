"""Trace contexts: what is read, what is refused, ids that follow from content."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.tracing.traceparent import TraceParent, read_traceparent, span_id_of, trace_id_of

GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_header_is_read_and_written_alike():
    found = read_traceparent(GOOD.encode())
    assert found == TraceParent(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0xF067AA0BA902B7, 1)
    assert found.sampled
    assert str(found) == GOOD
    assert read_traceparent(GOOD) == found


def test_a_trace_that_is_not_kept_says_so():
    found = read_traceparent(GOOD.removesuffix("01") + "00")
    assert found is not None
    assert not found.sampled


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"hunter2",
        GOOD.upper(),
        GOOD + "\n",
        GOOD + "-more",
        "01" + GOOD[2:],
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
        b"\xff\xfe" + GOOD.encode(),
    ],
)
def test_what_is_no_trace_context_is_never_handed_on(value: bytes | str | None):
    assert read_traceparent(value) is None


@given(st.lists(st.text() | st.integers()))
def test_the_same_content_has_the_same_valid_ids(content: list[object]):
    assert trace_id_of(*content) == trace_id_of(*content)
    parent = TraceParent(trace_id_of(*content), span_id_of(*content))
    assert read_traceparent(str(parent)) == parent


def test_other_content_has_other_ids():
    content = [("a", 1, 23), ("a", 12, 3), ("a1", 2, 3), ("b", 1, 23)]
    assert len({trace_id_of(*c) for c in content}) == len(content)
    assert len({span_id_of(*c) for c in content}) == len(content)
