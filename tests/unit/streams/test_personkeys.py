"""The keys file of people who sign their feedback."""

import json
from pathlib import Path

import pytest

from streams.errors import ConfigurationError
from streams.learningsettings import DriftSettings
from streams.personkeys import read_person_keys

SECRET = "a secret of more than sixteen characters"


def test_keys_are_read_by_person(tmp_path: Path):
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"ana": SECRET, "gateway ü": SECRET[::-1]}), encoding="utf-8")
    assert read_person_keys(file) == {"ana": SECRET.encode(), "gateway ü": SECRET[::-1].encode()}
    assert read_person_keys(None) == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "must be a JSON object"),
        ('["ana"]', "must be a JSON object"),
        ('{"ana": 5}', "the key of 'ana' must be a text of at least 16"),
        ('{"ben": "too short"}', "the key of 'ben' must be a text of at least 16"),
    ],
)
def test_a_mistake_is_named_without_the_secret(tmp_path: Path, content: str, said: str):
    file = tmp_path / "keys.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said) as caught:
        read_person_keys(file)
    assert "OPSPILOT_FEEDBACK__KEYS_FILE" in str(caught.value)
    assert "too short" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"absent\.json cannot be read"):
        read_person_keys(tmp_path / "absent.json")


def test_hours_of_training_come_in_pairs():
    assert DriftSettings().training_hours is None
    assert DriftSettings(training_from_hour=22, training_to_hour=6).training_hours == (22, 6)
    with pytest.raises(ValueError, match="TRAINING_TO_HOUR"):
        DriftSettings(training_from_hour=22)
