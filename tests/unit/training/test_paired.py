import pytest

from training.paired import Paired, pair


def test_only_items_on_which_they_differ_count():
    found = pair([True, True, False, False], [True, False, True, False])
    assert (found.gained, found.lost) == (1, 1)


def test_the_exact_probabilities_are_those_of_the_binomial():
    # Eight gains and no loss: one half to the eighth.
    assert Paired(8, 0).better == pytest.approx(1 / 256)
    # Six of seven or more: (7 + 1) / 128.
    assert Paired(6, 1).better == pytest.approx(8 / 128)
    assert Paired(1, 6).worse == pytest.approx(8 / 128)


def test_without_a_difference_nothing_is_better_or_worse():
    assert Paired(0, 0).better == 1.0
    assert Paired(0, 0).worse == 1.0


def test_different_numbers_of_items_are_refused():
    with pytest.raises(ValueError, match="1 and 2"):
        pair([True], [True, False])
