"""The dead letters as a person sees them, and as they go back to where they came from.

Comes in: records of the dead-letters topic. Goes out: SetAside, by its place of origin. Promise:
what is shown is redacted; what goes back has key, value and headers as they were, and a mark.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from aiokafka import ConsumerRecord

from streams.deadletters import REPLAYED_HEADER, SOURCE
from streams.errors import InputError
from streams.ingest.redact import Redactor

SHOWN_BYTES = 4_096
_KEPT = f"{SOURCE}header-"


@dataclass(frozen=True, slots=True)
class SetAside:
    """One message that a stage could not use."""

    topic: str
    partition: int
    offset: int
    stage: str
    reason: str
    message: str
    time: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    """The headers that it had at its source."""

    @property
    def place(self) -> str:
        """Return `topic/partition/offset`, its name."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    def replay_headers(self) -> list[tuple[str, bytes]]:
        """Return its headers with the mark that it has been here."""
        own = [(name, value) for name, value in self.headers if name != REPLAYED_HEADER]
        return [*own, (REPLAYED_HEADER, self.place.encode())]


def read_letters(records: Iterable[ConsumerRecord]) -> list[SetAside]:
    """Return the letters in the order of the topic, each place once (its latest letter)."""
    letters: dict[str, SetAside] = {}
    for record in records:
        letter = _read(record)
        letters.pop(letter.place, None)
        letters[letter.place] = letter
    return list(letters.values())


def _read(record: ConsumerRecord) -> SetAside:
    named = {name: value for name, value in record.headers if not name.startswith(_KEPT)}
    kept = tuple((n.removeprefix(_KEPT), v) for n, v in record.headers if n.startswith(_KEPT))

    def text(name: str, missing: str) -> str:
        value = named.get(name)
        return value.decode("utf-8", "replace") if value else missing

    # A letter that somebody else wrote here is shown under its own place.
    return SetAside(
        topic=text(f"{SOURCE}topic", record.topic),
        partition=_number(text(f"{SOURCE}partition", ""), record.partition),
        offset=_number(text(f"{SOURCE}offset", ""), record.offset),
        stage=text("opspilot-stage", "unknown"),
        reason=text("opspilot-reason", "unknown"),
        message=text("opspilot-message", ""),
        time=text("opspilot-time", ""),
        key=record.key,
        value=record.value,
        headers=kept,
    )


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isdecimal() else otherwise


def choose(letters: Iterable[SetAside], places: Iterable[str]) -> list[SetAside]:
    """Return the letters of these places; raises InputError for one that is not there."""
    by_place = {letter.place: letter for letter in letters}
    chosen = []
    for place in places:
        if place not in by_place:
            raise InputError(
                f"no dead letter {place!r}: `opspilot dead-letters list` names them "
                "as TOPIC/PARTITION/OFFSET"
            )
        chosen.append(by_place[place])
    return chosen


def shown(data: bytes | None, redactor: Redactor) -> str:
    """Return bytes as redacted text, cut after SHOWN_BYTES."""
    if data is None:
        return "(none)"
    text = redactor.redact(data.decode("utf-8", "replace"))
    if len(text) > SHOWN_BYTES:
        return f"{text[:SHOWN_BYTES]}… ({len(data):,} bytes in all)"
    return text
