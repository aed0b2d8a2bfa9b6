"""`opspilot feedback` as far as it needs no Kafka."""

import json

import pytest
from pydantic import SecretStr

from opspilot.cli import run
from opspilot.commands.feedback import _person, _signing_key
from streams.errors import ConfigurationError, InputError
from streams.learningsettings import FeedbackSettings


def test_without_an_opinion_it_says_what_could_be_said(capsys: pytest.CaptureFixture[str]):
    assert run(["feedback", "5f0c", "--person", "ana"]) == 1
    assert "nothing is said: use --right" in capsys.readouterr().err


def test_a_word_that_is_no_category_is_refused(capsys: pytest.CaptureFixture[str]):
    assert run(["feedback", "5f0c", "--category", "Weather"]) == 2
    assert "Weather" in capsys.readouterr().err


def test_each_key_is_new_and_ready_for_the_keys_file(capsys: pytest.CaptureFixture[str]):
    keys = []
    for _ in range(2):
        assert run(["feedback", "key", "ana"]) == 0
        keys.append(json.loads(capsys.readouterr().out)["ana"])
    assert len(set(keys)) == 2
    assert all(len(key) == 64 for key in keys)


def test_who_speaks_is_named_or_set_and_never_nobody():
    settings = FeedbackSettings(person="ben")
    assert _person(" ana ", settings) == "ana"
    assert _person(None, settings) == "ben"
    with pytest.raises(InputError, match="--person is empty"):
        _person("  ", settings)


def test_it_signs_with_the_key_that_is_configured(tmp_path):
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"ana": "k" * 20}))
    assert _signing_key(FeedbackSettings(), "ana") is None
    assert _signing_key(FeedbackSettings(signing_key=SecretStr("own")), "ana") == b"own"
    assert _signing_key(FeedbackSettings(keys_file=file), "ana") == b"k" * 20
    with pytest.raises(ConfigurationError, match="has no key of 'eve'"):
        _signing_key(FeedbackSettings(keys_file=file), "eve")
