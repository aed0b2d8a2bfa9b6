"""The clock of a raw partition believes no single line."""

import numpy as np

from streams.ingest.partitionclock import LEAP_MS, clock_after, lags, settle_times

NOW = 1_790_000_000_000
YEAR = 365 * 86_400_000


def _ints(*values: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values, np.int64)


def _doubt(*values: bool) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values, np.bool_)


def test_in_live_traffic_a_doubtful_line_has_its_append_time() -> None:
    event = _ints(NOW, 0, NOW + 2_000)
    append = _ints(NOW + 900, NOW + 1_900, NOW + 2_900)
    settled = settle_times(event, append, _doubt(False, True, False), NOW)
    assert settled.tolist() == [NOW, NOW + 1_900, NOW + 2_000]


def test_in_a_replay_a_doubtful_line_has_its_neighbours_time() -> None:
    event = _ints(0, NOW, 0, NOW + 60_000, 0)
    append = _ints(*[NOW + YEAR] * 5)
    settled = settle_times(event, append, _doubt(True, False, True, False, True), 0)
    assert settled.tolist() == [NOW, NOW, NOW, NOW + 60_000, NOW + 60_000]


def test_a_replayed_batch_of_doubtful_lines_stays_where_the_clock_was() -> None:
    settled = settle_times(_ints(0, 0), _ints(NOW + YEAR, NOW + YEAR), _doubt(True, True), NOW)
    assert settled.tolist() == [NOW, NOW]


def test_lines_without_any_stamp_go_by_their_append_time() -> None:
    settled = settle_times(_ints(0, 0), _ints(NOW, NOW + 5), _doubt(True, True), 0)
    assert settled.tolist() == [NOW, NOW + 5]


def test_one_line_far_ahead_does_not_move_the_clock() -> None:
    assert clock_after(_ints(NOW, NOW + YEAR, NOW + 1_000), NOW) == NOW + 1_000
    assert clock_after(_ints(NOW + YEAR), NOW) == NOW


def test_a_night_without_lines_does_move_the_clock() -> None:
    morning = NOW + 8 * 3_600_000
    assert clock_after(_ints(NOW, morning, morning + 1_000), NOW) == morning + 1_000


def test_the_clock_never_goes_back_and_starts_anywhere() -> None:
    assert clock_after(_ints(NOW - LEAP_MS), NOW) == NOW
    assert clock_after(_ints(NOW), 0) == NOW


def test_a_line_lags_behind_what_came_before_it() -> None:
    event = _ints(NOW, NOW - 8_000, NOW + 1_000)
    assert lags(event, 0, NOW + 1_000).tolist() == [0, 8_000, 0]
    assert lags(event, NOW + 3_000, NOW + 3_000).tolist() == [3_000, 11_000, 2_000]
