import pytest

from agents.logic.judging.classifier import load_classifier
from agents.logic.judging.thrown import without_quotes
from agents.logic.judging.verdict import Evidence, judge
from schemas.vocabulary import Level

TRACE = (
    "Traceback (most recent call last):\n"
    '  File "/srv/imports/rows.py", line 88, in parse\n'
    "    raise ValueError(text)\n"
    "ValueError: {}"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ValueError: machine check, critical", "ValueError"),
        ("failed with java.lang.IllegalArgumentException: a b c", "failed with java.lang."
         "IllegalArgumentException"),
        ("com.acme.shop.ImportRowException: core breach\n\tat com.acme.Main.run(Main.java:3)",
         "com.acme.shop.ImportRowException\n\tat com.acme.Main.run(Main.java:3)"),
        ("Caused by: java.lang.RuntimeException: x", "Caused by: java.lang.RuntimeException"),
    ],
)  # fmt: skip
def test_what_an_exception_of_a_value_quotes_is_left_out(text, expected):
    assert without_quotes(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "java.io.IOException: No space left on device",
        "psycopg2.OperationalError: could not connect to server: Connection refused",
        "redis.exceptions.ConnectionError: Error 111 connecting to cache:6379",
        "java.lang.OutOfMemoryError: Java heap space",
        "javax.net.ssl.SSLHandshakeException: PKIX path building failed",
        "kernel panic - not syncing: fatal exception: in interrupt",
        "an error: nothing was thrown here",
    ],
)
def test_the_words_of_a_system_stay(text):
    assert without_quotes(text) == text


def severity_of(*lines: str):
    evidence = [Evidence(line, Level.ERROR, 3) for line in lines]
    return judge("thumbs", evidence, load_classifier()).severity


def test_claims_quoted_by_an_exception_make_an_incident_no_graver():
    plain = severity_of(TRACE.format("invalid literal for a price"))
    claimed = severity_of(TRACE.format("hardware fault, machine check, critical, data loss"))
    assert claimed.rank <= plain.rank


def test_what_a_full_disk_says_through_an_exception_still_counts():
    said = severity_of("Task attempt_12 failed: java.io.IOException: No space left on device")
    assert said.rank > severity_of("Task attempt_12 failed: java.io.IOException").rank
