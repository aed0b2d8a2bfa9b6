"""How near lines are to runbooks: whatever the model, and no line more than its share."""

import numpy as np
import pytest

from agents.logic.plans.closeness import LEAD, MOST, NEAR, closeness, nearest, unit

NAMES = [f"book-{number:02}" for number in range(40)]
RUNBOOKS = unit(np.eye(40).tolist())


def along(*numbers: int) -> list[float]:
    return [1.0 if place in numbers else 0.0 for place in range(40)]


def near(*lines: tuple[list[float], int]) -> dict[str, float]:
    return closeness(
        unit([vector for vector, _ in lines]), [count for _, count in lines], NAMES, RUNBOOKS
    )


def test_what_stands_out_is_nearest_whatever_the_models_cosines_are():
    found = near((along(7), 1))
    assert nearest(found) == "book-07"
    assert found["book-07"] == MOST
    # A model whose cosines are all high says the same.
    lifted = closeness(
        unit([[*along(7), 9.0]]),
        [1],
        NAMES,
        unit([[*along(number), 9.0] for number in range(40)]),
    )
    assert lifted == pytest.approx(found, abs=1e-4)


def test_two_that_are_equally_near_and_a_line_that_is_near_to_all_choose_none():
    assert nearest(near((along(7, 8), 1))) is None
    assert set(near(([1.0] * 40, 1)).values()) == {0.0}
    assert nearest({}) is None
    assert nearest({"a": NEAR, "b": NEAR - LEAD}) == "a"
    assert nearest({"a": NEAR - 0.01}) is None


def test_a_line_has_no_more_say_than_its_share_of_the_lines():
    true, hostile = (along(7), 3), (along(9), 1)
    assert near(true, hostile)["book-09"] < MOST / 4
    assert nearest(near(true, hostile)) is None
    assert nearest(near((along(7), 6), hostile)) == "book-07"
    # Against lines that are near to nothing it must be three quarters of what is said.
    blank = [1.0] * 40
    assert nearest(near((blank, 2), (along(9), 5))) is None
    assert nearest(near((blank, 1), (along(9), 4))) == "book-09"


@pytest.mark.parametrize("rows", [[[1.0], [1.0, 2.0]], [[]], [[0.0]], [[float("nan")]], [["a"]]])
def test_what_is_no_vector_is_refused(rows: list):
    with pytest.raises(ValueError):
        unit(rows)
