"""From a line's key to its shape, once per key: everything that is slow stands behind a cache.

Comes in: a key, `line.translate(DIGITS_TO_ZERO)`: as long as the line, so offsets agree.
Goes out: a `ShapeInfo`. It is a function of the key alone, and so of the line alone: never of
which line came first, on which worker, or of what a cache had forgotten.
"""

import hashlib
from typing import NamedTuple

from schemas.vocabulary import Level
from streams.shape.header import read_header
from streams.shape.levels import LEVEL_WORDS
from streams.shape.mask import WILDCARD, Masker
from streams.shape.measures import (
    DurationSpan,
    continues,
    duration_spans,
    names_exception,
    status_position,
)
from streams.shape.stamps import StampFormat
from streams.shape.structured import read_structured

SHAPER_VERSION = 1
"""Raised with every change that can alter a shape; part of each shape's id."""

DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
"""The table for `bytes.translate` that makes a line (or a joined batch of lines) its key."""

TEXT_LIMIT = 512
_KEY_LIMIT = 4096
_CACHED_KEY_LIMIT = 2048
_STATUS_CLASSES = "12345"


class ShapeInfo(NamedTuple):
    """What a key says about every line that has it. Offsets are bytes of the line."""

    shape_id: str
    """16 hexadecimal characters: a hash of shaper version, level and text."""
    text: str
    """The line without header, values as `<*>`; at most 512 characters."""
    level: Level | None
    stamp_span: tuple[int, int] | None
    stamp_format: StampFormat | None
    status_pos: int | None
    """Where the first digit of an HTTP status stands; read it and call `with_status`."""
    duration_spans: tuple[DurationSpan, ...]
    is_continuation: bool
    """Looks like the inside of a stack trace or an indented block."""
    is_exception: bool
    """No header, begins with an exception's name: belongs to the line above if that has one."""
    status_ids: tuple[str, ...]
    """Shape ids by the status's first digit; empty where `status_pos` is None."""

    def with_status(self, digit: int) -> str:
        """Return the shape id for an HTTP status whose first digit is `digit` (0 to 9)."""
        return self.status_ids[digit] if self.status_ids else self.shape_id


class _Core(NamedTuple):
    """What depends on level and text alone, shared by all keys of a shape."""

    shape_id: str
    text: str
    timed: bool
    status_ids: tuple[str, ...]


class Shaper:
    """Gives the `ShapeInfo` of keys; remembers at most `2 * key_capacity` keys.

    A cache that is full becomes the older one and is emptied when the newer is full: bounded,
    with no bookkeeping on a hit.
    """

    def __init__(self, key_capacity: int = 50_000, token_capacity: int = 50_000) -> None:
        self._capacity = key_capacity
        self._known: dict[bytes, ShapeInfo] = {}
        self._older: dict[bytes, ShapeInfo] = {}
        self._cores: dict[tuple[Level | None, str, bool], _Core] = {}
        self._masker = Masker(token_capacity)

    @property
    def cached_keys(self) -> int:
        """How many keys are remembered."""
        return len(self._known) + len(self._older)

    def info(self, key: bytes) -> ShapeInfo:
        """Return the shape of `key` (a line without its newline, every ASCII digit `0`)."""
        found = self._known.get(key)
        if found is not None:
            return found
        found = self._older.get(key)
        if found is None:
            found = self._make(key)
        if len(key) <= _CACHED_KEY_LIMIT:
            if len(self._known) >= self._capacity:
                self._older, self._known = self._known, {}
            self._known[key] = found
        return found

    def line(self, line: bytes) -> ShapeInfo:
        """Return the shape of a line; for those who do not hold its key."""
        return self.info(line.translate(DIGITS_TO_ZERO))

    def _make(self, key: bytes) -> ShapeInfo:
        text = key[:_KEY_LIMIT].decode("latin-1")
        header = read_header(text)
        level, stamp = header.level, header.stamp
        content = text[header.content_start :]
        fields = read_structured(text, header.content_start)
        if fields is not None:
            level, stamp = level or fields.level, stamp or fields.stamp
            content = fields.text
        bare = stamp is None
        exception = bare and names_exception(text)
        if level is None:
            level = _marked_level(content, exception)
        status = status_position(text)
        core = self._core(level, self._masker.mask(content), status is not None)
        return ShapeInfo(
            core.shape_id,
            core.text,
            level,
            (stamp.start, stamp.end) if stamp is not None else None,
            stamp.format if stamp is not None else None,
            status,
            duration_spans(text) if core.timed else (),
            bare and continues(text),
            exception,
            core.status_ids,
        )

    def _core(self, level: Level | None, masked: str, has_status: bool) -> _Core:
        found = self._cores.get((level, masked, has_status))
        if found is not None:
            return found
        text = masked.encode("latin-1").decode("utf-8", "replace")[:TEXT_LIMIT] or WILDCARD
        status_ids: tuple[str, ...] = ()
        if has_status:
            base = shape_id(level, text)
            status_ids = tuple(
                shape_id(level, text, digit) if digit in _STATUS_CLASSES else base
                for digit in "0123456789"
            )
        core = _Core(shape_id(level, text), text, True, status_ids)
        if len(self._cores) >= self._capacity:
            self._cores.clear()
        self._cores[(level, masked, has_status)] = core
        return core


def shape_id(level: Level | None, text: str, status_digit: str = "") -> str:
    """Return the id of a shape: the same on every machine for the same version of the shaper."""
    content = f"{SHAPER_VERSION}\0{level or ''}\0{status_digit}\0{text}"
    return hashlib.blake2b(content.encode("utf-8", "replace"), digest_size=8).hexdigest()


_TRACEBACK = ("Traceback (most recent call last)", "Exception in thread", "Unhandled exception")
_FATAL = ("panic: ", "Kernel panic", "fatal error: ", "kernel panic")


def _marked_level(content: str, exception: bool) -> Level | None:
    """Recognise a level without a header: tracebacks, panics, `level=warn` in a sentence."""
    if exception or content.startswith(_TRACEBACK):
        return Level.ERROR
    if content.startswith(_FATAL):
        return Level.FATAL
    at = content.find("level=")
    if at >= 0:
        word = content[at + 6 : at + 20].split(" ", 1)[0].strip("\"',;")
        return LEVEL_WORDS.get(word.lower())
    return None
