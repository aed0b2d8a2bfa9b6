import json

import pytest

from streams.errors import InputError
from training.evaluation.detection import detection_report, read_bags


def test_f1_by_hand():
    measured = detection_report([True, True, False, False], [True, False, True, False])
    assert (measured.found, measured.false_alarms) == (1, 1)
    assert (measured.precision, measured.recall, measured.f1) == (0.5, 0.5, 0.5)


def test_no_alarm_has_no_precision_and_no_incident_no_recall():
    assert detection_report([True], [False]).precision is None
    quiet = detection_report([False], [False])
    assert (quiet.recall, quiet.f1) == (None, 0.0)
    with pytest.raises(ValueError, match="1 bags and 0 verdicts"):
        detection_report([True], [])


def test_bags_are_read():
    line = json.dumps({"system": "acme", "lines": ["a", "b"], "is_incident": True})
    (bag,) = read_bags([line, ""], "f.jsonl")
    assert (bag.service, bag.lines, bag.is_incident) == ("acme", ("a", "b"), True)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("nope", "line 1: not JSON"),
        ("3", "must be a JSON object"),
        ('{"lines": "a", "is_incident": true}', "`lines` must be a list of strings"),
        ('{"lines": ["a"], "is_incident": 1}', "`is_incident` must be true or false"),
        ("", "holds no windows"),
    ],
)
def test_a_bad_bag_is_named(line, fault):
    with pytest.raises(InputError, match=fault):
        read_bags([line], "f.jsonl")
