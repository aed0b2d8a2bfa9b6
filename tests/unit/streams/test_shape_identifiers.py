"""Tests of the identifiers in hexadecimal that are written alike."""

from hypothesis import given
from hypothesis import strategies as st

from streams.shape.identifiers import unify_identifiers
from streams.shape.shaper import DIGITS_TO_ZERO, Shaper

PIECES = st.lists(
    st.one_of(
        st.text("0aBcdef", max_size=40),
        st.sampled_from(["-", " ", "x", "0x", "_", "00000000", "q", "deadbeef", "-0a0c" * 3]),
    ),
    max_size=12,
)


@given(PIECES)
def test_offsets_hold_and_a_second_time_changes_nothing(pieces):
    key = "".join(pieces).encode()
    unified = unify_identifiers(key)
    assert len(unified) == len(key)
    assert unify_identifiers(unified) == unified


def test_identifiers_are_alike_and_numbers_and_words_stay():
    pairs = [
        (b"span 00c0ffee00 ended", b"span 0a0a0a0a0a ended"),
        (b"at 0x00007ffe", b"at 0x0a0a0a0a"),
        (b"id=0b00000c-d000-4e00-a000-00f00000000b;", b"id=0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a;"),
        (b"Package~C0FFEE00~amd00", b"Package~0a0a0a0a~amd00"),
    ]
    for line, wanted in pairs:
        assert unify_identifiers(line.translate(DIGITS_TO_ZERO)) == wanted
    for same in (
        b"00000000T000000Z",
        b"deadbeef",
        b"interface00000000",
        b"00000000-0000",
        b"a0b0c0d",
    ):
        assert unify_identifiers(same) == same


def test_lines_that_differ_in_an_identifier_share_their_shape_whichever_came_first():
    lines = [
        b"2031-02-03 04:05:06 INFO job pod-c0ffee12ab done in 12 ms",
        b"2031-02-03 04:05:06 INFO job pod-0123ef45ab done in 12 ms",
        b"2031-02-03 04:05:06 INFO job pod-a1b2c3d4e5 done in 12 ms",
    ]
    forward, backward = Shaper(), Shaper()
    found = [forward.line(line) for line in lines]
    assert len(set(found)) == 1
    assert found == [backward.line(line) for line in reversed(lines)]
    (span,) = found[0].duration_spans
    assert lines[0][span.start : span.end] == b"12"
