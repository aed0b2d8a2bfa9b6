import json

import pytest

from schemas.vocabulary import Category, Severity
from streams.errors import InputError
from training.evaluation.classification import (
    Said,
    Truth,
    calibration_error,
    calibration_interval,
    category_figures,
    overconfidence,
    quadratic_kappa,
    report,
)
from training.evaluation.items import read_items

NETWORK, DATABASE, SECURITY = Category.NETWORK, Category.DATABASE, Category.SECURITY
HIGH, MEDIUM, LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW


def test_strict_lenient_and_macro_f1():
    truths = [
        Truth(NETWORK, HIGH),
        Truth(NETWORK, MEDIUM, frozenset({DATABASE})),
        Truth(DATABASE, MEDIUM),
        Truth(DATABASE, LOW),
    ]
    said = [
        Said(NETWORK, HIGH, 0.9),
        Said(DATABASE, MEDIUM, 0.6),
        Said(DATABASE, HIGH, 0.8),
        Said(SECURITY, LOW, 0.3, abstained=True),
    ]
    measured = report(truths, said)
    assert measured.strict == 0.5
    assert measured.lenient == 0.75
    # Network: P 1, R 1/2; Database: P 1/2, R 1/2. Security never occurs and stays out.
    assert measured.macro_f1 == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert measured.severity_exact == 0.75
    assert measured.severity_within_one == 1.0
    assert measured.abstained == 0.25
    assert measured.strict_when_answered == pytest.approx(2 / 3)


def test_nothing_is_made_up_where_there_is_nothing_to_measure():
    figures = category_figures([Truth(NETWORK, HIGH)], [Said(DATABASE, HIGH, 0.5)])
    assert figures[NETWORK].precision is None and figures[NETWORK].recall == 0
    assert figures[DATABASE].recall is None and figures[DATABASE].precision == 0
    assert figures[SECURITY].f1 == 0
    measured = report([Truth(NETWORK, HIGH)], [Said(NETWORK, HIGH, 0.2, abstained=True)])
    assert measured.strict_when_answered is None
    with pytest.raises(ValueError, match="0 items"):
        report([], [])


def test_quadratic_kappa_against_a_case_worked_by_hand():
    # Table [[1, 1], [0, 2]] of 4: disagreement 1/4; by chance 1/2 * 3/4 + 1/2 * 1/4 = 1/2.
    assert quadratic_kappa([0, 0, 1, 1], [0, 1, 1, 1], 2) == pytest.approx(0.5)
    assert quadratic_kappa([0, 1, 2, 3], [0, 1, 2, 3], 4) == 1
    assert quadratic_kappa([0, 1, 2, 3], [2, 2, 2, 2], 4) == pytest.approx(0)
    assert quadratic_kappa([0, 3], [3, 0], 4) == pytest.approx(-1)
    assert quadratic_kappa([1, 1], [1, 1], 4) == 0


def test_calibration_error():
    right = [True, False] * 50
    assert calibration_error([0.5] * 100, right) == pytest.approx(0, abs=1e-9)
    assert calibration_error([0.9] * 100, right) == pytest.approx(0.4)
    low, high = calibration_interval([0.9] * 100, right)
    assert 0.2 < low < 0.4 < high < 0.6
    assert calibration_interval([0.9] * 100, right) == (low, high)


def test_only_claiming_too_much_is_overconfidence():
    right = [True, False] * 50
    assert overconfidence([0.9] * 100, right) == pytest.approx(0.4)
    assert overconfidence([0.1] * 100, right) == 0
    assert calibration_interval([0.1] * 100, right, measure=overconfidence) == (0, 0)


def item(**changes):
    fields = {"system": "acme", "examples": ["a"], "category": "Network", "severity": "low"}
    return json.dumps(fields | changes)


def test_items_are_read_and_a_template_stands_in_for_examples():
    items = read_items([item(also=["Security"]), "", item(examples=[], template="b <*>")], "f")
    assert items[0].truth == Truth(NETWORK, LOW, frozenset({SECURITY}))
    assert [one.lines for one in items] == [("a",), ("b <*>",)]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", "line 1: not JSON"),
        ("[1]", "must be a JSON object"),
        (item(category="Net"), "category 'Net' is unknown"),
        (item(severity=None), "severity None is unknown"),
        (item(also="Network"), "`also` must be a list"),
        (item(examples=[1]), "needs `examples`"),
        ("", "holds no items"),
    ],
)
def test_a_bad_item_is_named(line, fault):
    with pytest.raises(InputError, match=fault):
        read_items([line], "f.jsonl")
