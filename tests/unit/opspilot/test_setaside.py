"""Dead letters as people name, see and send them back."""

from types import SimpleNamespace
from typing import Any

import pytest

from opspilot.setaside import choose, read_letters, shown
from streams.deadletters import REPLAYED_HEADER, DeadLetter
from streams.errors import InputError
from streams.ingest.redact import Redactor


def record(offset: int, value: bytes, **headers: bytes) -> Any:
    letter = DeadLetter(
        "ingest", "raw", 2, offset, "json", "not JSON", 0, b"key", value, tuple(headers.items())
    )
    return SimpleNamespace(
        topic="dead", partition=0, offset=99, key=b"key", value=value, headers=letter.to_headers()
    )


def test_what_goes_back_is_what_came() -> None:
    (letter,) = read_letters([record(7, b"\xff{", trace=b"abc")])
    assert letter.place == "raw/2/7"
    assert (letter.key, letter.value) == (b"key", b"\xff{")
    assert letter.replay_headers() == [("trace", b"abc"), (REPLAYED_HEADER, b"raw/2/7")]


def test_a_letter_that_came_back_twice_is_marked_once() -> None:
    (letter,) = read_letters([record(7, b"{", **{REPLAYED_HEADER: b"raw/2/1"})])
    assert letter.replay_headers() == [(REPLAYED_HEADER, b"raw/2/7")]


def test_a_place_that_was_set_aside_twice_is_one_letter() -> None:
    letters = read_letters([record(7, b"{"), record(8, b"{"), record(7, b"{")])
    assert [letter.place for letter in letters] == ["raw/2/8", "raw/2/7"]


def test_a_foreign_record_is_shown_under_its_own_place() -> None:
    foreign = SimpleNamespace(topic="dead", partition=0, offset=3, key=None, value=None, headers=())
    assert read_letters([foreign])[0].place == "dead/0/3"


def test_an_unknown_place_is_said() -> None:
    with pytest.raises(InputError, match="no dead letter 'raw/2/8'"):
        choose(read_letters([record(7, b"{")]), ["raw/2/8"])


def test_what_is_shown_is_redacted_and_bounded() -> None:
    redactor = Redactor()
    assert "hunter2" not in shown(b'{"log": "password=hunter2', redactor)
    assert shown(None, redactor) == "(none)"
    assert len(shown(b"x" * 100_000, redactor)) < 5_000
