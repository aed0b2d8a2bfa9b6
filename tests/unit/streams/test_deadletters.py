"""What stands in the headers of a dead letter."""

from streams import metrics
from streams.deadletters import MAX_MESSAGE_CHARS, DeadLetter, send_dead_letter

LETTER = DeadLetter(
    "analyze", "opspilot.logs.digests", 3, 42, "invalid-record", "service=7: no text",
    1_800_000_000_000, b"key", b"\xff\x00 value",
    (("ce_id", b"e1"), ("trace", b"\xfe"), ("empty", None)),
)  # fmt: skip


def test_the_source_and_the_reason_are_told():
    headers = dict(LETTER.to_headers())
    assert headers["opspilot-source-topic"] == b"opspilot.logs.digests"
    assert headers["opspilot-source-partition"] == b"3"
    assert headers["opspilot-source-offset"] == b"42"
    assert headers["opspilot-stage"] == b"analyze"
    assert headers["opspilot-reason"] == b"invalid-record"
    assert headers["opspilot-message"] == b"service=7: no text"
    assert headers["opspilot-time"] == b"2027-01-15T08:00:00.000Z"
    assert LETTER.place == "opspilot.logs.digests/3/42"


def test_the_source_s_own_headers_stand_beside_and_cannot_replace_ours():
    headers = LETTER.to_headers()
    assert ("opspilot-source-header-ce_id", b"e1") in headers
    assert ("opspilot-source-header-trace", b"\xfe") in headers
    assert ("opspilot-source-header-empty", b"") in headers
    assert len({name for name, _ in headers}) == len(headers)


def test_a_message_is_bounded_and_always_bytes():
    long = DeadLetter("s", "t", 0, 0, "r", "\ud800" + "x" * 5_000, 0, None, None)
    value = dict(long.to_headers())["opspilot-message"]
    assert len(value) <= MAX_MESSAGE_CHARS
    assert value.startswith(b"?x")


class Producer:
    def __init__(self) -> None:
        self.sent: list[tuple[object, ...]] = []

    async def send_and_wait(self, topic, *, key, value, headers, **_options):
        self.sent.append((topic, key, value, headers))


async def test_key_and_value_are_untouched_and_the_letter_is_counted():
    counter = metrics.DEAD_LETTERS.labels("analyze", "invalid-record")
    before = counter._value.get()
    producer = Producer()
    await send_dead_letter(producer, "opspilot.dead-letters", LETTER)
    assert producer.sent == [
        ("opspilot.dead-letters", b"key", b"\xff\x00 value", LETTER.to_headers())
    ]
    assert counter._value.get() == before + 1
