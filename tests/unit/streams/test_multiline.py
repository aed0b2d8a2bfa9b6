import numpy as np

from streams.ingest.entries import Ints
from streams.ingest.multiline import NO_HEAD, Followers, heads
from streams.ingest.shapes import CONTINUATION, EXCEPTION, HEAD

H, C, X = HEAD, CONTINUATION, EXCEPTION


def joined(
    kinds: list[int], streams: list[int] | None = None, routine: list[bool] | None = None
) -> list[int]:
    writers: Ints = np.array(streams or [0] * len(kinds), np.int64)
    quiet = np.array(routine or [False] * len(kinds), np.bool_)
    found: list[int] = heads(np.array(kinds, np.int64), lambda: writers, quiet).tolist()
    return found


def test_without_continuations_each_line_heads_itself() -> None:
    assert joined([H, H, H]) == [0, 1, 2]


def test_a_stack_trace_belongs_to_the_line_above_it() -> None:
    assert joined([H, H, X, C, C, H]) == [0, 1, 1, 1, 1, 5]


def test_a_trace_at_the_start_of_a_batch_has_no_head() -> None:
    assert joined([C, C, H, C]) == [NO_HEAD, NO_HEAD, 2, 2]


def test_an_exception_without_a_line_above_heads_its_own_trace() -> None:
    assert joined([X, C, C]) == [0, 0, 0]


def test_an_exception_does_not_join_a_routine_line() -> None:
    assert joined([H, X, C], routine=[True, False, False]) == [0, 1, 1]


def test_repeated_exceptions_are_events_of_their_own() -> None:
    assert joined([H, X, X, X, C]) == [0, 0, 2, 3, 3]


def test_writers_do_not_mix() -> None:
    kinds = [H, H, C, C, C]
    assert joined(kinds, [0, 1, 0, 1, 2]) == [0, 1, 0, 1, NO_HEAD]


def test_followers_come_in_order_and_bounded() -> None:
    line_heads = np.array([0, 1, 0, 1, 0, NO_HEAD], np.int64)
    followers = Followers(line_heads)
    assert followers.of(0, 10) == [2, 4]
    assert followers.of(0, 1) == [2]
    assert followers.of(3, 10) == []
