"""How a stage reads a message: by type, with a reason where it cannot."""

import pytest

from schemas.digest import LogDigest, Progress
from schemas.services import ServiceInfo
from streams.delivery import decode, make_reader
from streams.errors import DecodeError

PROGRESS = Progress(partitions=(), raw_partitions=1, sent_ms=5)
ONE = make_reader([ServiceInfo])
SEVERAL = make_reader([LogDigest, Progress])


def test_a_message_becomes_the_record_that_its_type_says():
    assert decode(PROGRESS.to_bytes(), SEVERAL) == PROGRESS
    info = ServiceInfo(service="a/b/c")
    assert decode(info.to_bytes(), ONE) == info


def test_a_tombstone_is_nothing():
    assert decode(None, SEVERAL) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", "the message"),
        (b"\xff\xfe", "the message"),
        (b"{", "the message"),
        (b"[1]", "the message"),
        (b"{}", "type"),
        (b'{"type":"finding"}', "finding"),
        (b'{"type":"progress"}', "progress.partitions"),
        (PROGRESS.to_bytes().replace(b'"1.0"', b'"2.0"'), "schemaVersion='2.0'"),
        (PROGRESS.to_bytes().replace(b'"sentMs":5', b'"sentMs":-5'), "progress.sentMs=-5"),
    ],
)
def test_what_cannot_be_read_is_said_by_field_and_value(value: bytes, said: str):
    with pytest.raises(DecodeError) as caught:
        decode(value, SEVERAL)
    assert caught.value.reason == "invalid-record"
    assert said in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_long_value_is_quoted_in_part():
    value = b'{"type":"service","service":"' + b"x" * 5_000 + b'"}'
    with pytest.raises(DecodeError) as caught:
        decode(value, ONE)
    assert len(str(caught.value)) < 300
