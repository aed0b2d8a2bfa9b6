"""Reads the records of a batch into entries: whole columns where all are alike, else one by one.

Comes in: a RawBatch. Goes out: Entries, with the records that are no lines apart. Promise: both
ways give the same entries; which one is taken is a matter of speed alone.
"""

from typing import Any

import msgspec
import numpy as np

from streams.errors import DecodeError
from streams.ingest.batch import (
    CONTROL_HEADER,
    END_OF_INPUT,
    REPLAYED_HEADER,
    DeadRecord,
    Headers,
    RawBatch,
    ReducerOptions,
)
from streams.ingest.entries import LEVEL_CODE, NO_LEVEL, UNKNOWN_MS, Codes, Entries, Ints, distinct
from streams.ingest.envelope import Entry, read_value
from streams.ingest.eventtime import plausible, record_ms
from streams.ingest.identity import (
    Claim,
    Identities,
    claim_of_headers,
    claim_of_key,
    first_claim,
)
from streams.ingest.isotime import iso_column_ms

_TAIL = ("fb_ts", "fb_path", "log", "fb_source")
"""The fields of Fluent Bit's tail envelope; a record that has others is read with more care."""


class EntryReader:
    """Reads batches by one set of options."""

    def __init__(self, options: ReducerOptions, identities: Identities) -> None:
        self._options = options
        self._identities = identities
        fields = [(name, str, "") for name in _TAIL]
        tail: Any = msgspec.defstruct("Tail", fields, forbid_unknown_fields=True, gc=False)
        self._decode_tail = msgspec.json.Decoder(tail).decode

    def read(self, batch: RawBatch) -> Entries:
        """Return the entries of all records; dead and control records have none."""
        if batch.headers is None and self._tail_is_first():
            try:
                records = list(map(self._decode_tail, batch.values))  # type: ignore[arg-type]
            except (msgspec.MsgspecError, TypeError, UnicodeDecodeError):
                return self._read_each(batch)
            return self._read_tails(batch, records)
        return self._read_each(batch)

    def _tail_is_first(self) -> bool:
        """Tell whether the options name the tail envelope's fields before all others."""
        options = self._options
        return (
            options.message_fields[:1] == ("log",)
            and options.time_fields[:1] == ("fb_ts",)
            and options.service_fields[:1] == ("fb_source",)
        )

    def _read_tails(self, batch: RawBatch, records: list[Any]) -> Entries:
        count = len(records)
        times = iso_column_ms([record.fb_ts for record in records])
        if times is None:
            times = _times([record_ms(record.fb_ts) for record in records])
        sources: Codes[str] = Codes()
        source_codes = sources.column([record.fb_source for record in records])
        keys: Codes[bytes | None] = Codes()
        key_codes = keys.column(batch.keys)
        names: Codes[str] = Codes()
        instances: Codes[str] = Codes()
        pairs, pair_codes = distinct(source_codes * (len(keys.words) + 1) + key_codes)
        services, writers = [], []
        for pair in pairs.tolist():
            source, key = divmod(pair, len(keys.words) + 1)
            claim = first_claim([Claim(sources.words[source]), claim_of_key(keys.words[key])])
            identity, instance = self._identities.resolve(_own_key(claim, keys.words[key]))
            services.append(names[identity])
            writers.append(instances[instance])

        def streams() -> Ints:
            paths: Codes[str] = Codes()
            path_codes = paths.column([record.fb_path for record in records])
            streams: Ints = pair_codes * len(paths.words) + path_codes
            return streams

        return Entries(
            [record.log for record in records],
            times,
            np.arange(count),
            np.array(services, np.int64)[pair_codes],
            names.words,
            np.array(writers, np.int64)[pair_codes],
            instances.words,
            np.full(count, NO_LEVEL, np.int64),
            streams,
        )

    def _read_each(self, batch: RawBatch) -> Entries:
        builder = _Builder(self._identities)
        for index, value in enumerate(batch.values):
            headers = batch.headers[index] if batch.headers is not None else ()
            names = {name for name, _ in headers} if headers else ()
            builder.ended = False
            if value is None:
                if CONTROL_HEADER in names:
                    builder.control += 1
                    builder.ended = (CONTROL_HEADER, END_OF_INPUT) in headers
                else:
                    builder.bury(batch.offsets[index], "null", "the record has no value")
                continue
            if REPLAYED_HEADER in names:
                builder.replayed += 1
            try:
                found = self._entries(value)
            except DecodeError as error:
                builder.bury(batch.offsets[index], error.reason, str(error))
                continue
            for entry in found or [Entry("")]:
                builder.add(index, entry, batch.keys[index], headers)
        return builder.build()

    def _entries(self, value: bytes) -> list[Entry]:
        if value[:1] == b"{" and self._tail_is_first():
            try:
                tail = self._decode_tail(value)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                return read_value(value, self._options)
            claim = Claim(tail.fb_source)
            return [Entry(tail.log, record_ms(tail.fb_ts), claim, None, f"{tail.fb_path}|")]
        return read_value(value, self._options)


def _times(found: list[int | None]) -> Ints:
    return np.array([UNKNOWN_MS if time is None else time for time in found], np.int64)


def _own_key(claim: Claim, key: bytes | None) -> Claim:
    """Add the instance that a key names behind the service."""
    if claim.instance or not key or key.count(b"/") < 3:
        return claim
    return claim._replace(instance=key.decode("utf-8", "replace").split("/", 3)[3])


class _Builder:
    """Collects entries into columns."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities
        self._texts: list[str] = []
        self._times: list[int | None] = []
        self._records: list[int] = []
        self._services: list[int] = []
        self._instances: list[int] = []
        self._levels: list[int] = []
        self._streams: list[int] = []
        self._names: Codes[str] = Codes()
        self._instance_names: Codes[str] = Codes()
        self._stream_codes: Codes[tuple[str, str, str]] = Codes()
        self._open: dict[int, int] = {}
        self._pieces: dict[int, int] = {}
        self._joined: dict[int, list[str]] = {}
        self._dead: list[DeadRecord] = []
        self.control = 0
        self.replayed = 0
        self.ended = False

    def bury(self, offset: int, reason: str, message: str) -> None:
        """Note a record that is no line."""
        self._dead.append(DeadRecord(offset, reason, message))

    def add(self, record: int, entry: Entry, key: bytes | None, headers: Headers) -> None:
        """Append one entry of `record`."""
        claim = entry.claim
        if headers:
            claim = first_claim([claim, claim_of_headers(headers)])
        if not claim.service:
            claim = first_claim([claim, claim_of_key(key)])
        identity, instance = self._identities.resolve(_own_key(claim, key))
        stream = self._stream_codes[(identity, instance, entry.stream)]
        place = len(self._texts)
        head = self._open.get(stream)
        if head is not None:
            self._pieces[place] = head
            self._joined[head].append(entry.text)
        elif entry.partial:
            self._joined[place] = [entry.text]
            head = place
        if entry.partial and head is not None:
            self._open[stream] = head
        else:
            self._open.pop(stream, None)
        self._texts.append(entry.text)
        self._times.append(entry.time_ms)
        self._records.append(record)
        self._services.append(self._names[identity])
        self._instances.append(self._instance_names[instance])
        self._levels.append(NO_LEVEL if entry.level is None else LEVEL_CODE[entry.level])
        self._streams.append(stream)

    def build(self) -> Entries:
        """Return the columns."""
        for head, texts in self._joined.items():
            self._texts[head] = "".join(texts)
        for piece in self._pieces:
            self._texts[piece] = ""
        return Entries(
            self._texts,
            _times([None if time is None else plausible(time) for time in self._times]),
            np.array(self._records, np.int64),
            np.array(self._services, np.int64),
            self._names.words,
            np.array(self._instances, np.int64),
            self._instance_names.words,
            np.array(self._levels, np.int64),
            lambda: np.array(self._streams, np.int64),
            self._pieces,
            self._dead,
            self.control,
            self.replayed,
            self.ended,
        )
