"""From a line's key to its shape, once per key: everything that is slow stands behind a cache.

Comes in: a key, `line.translate(DIGITS_TO_ZERO)`: as long as the line, so offsets agree.
Goes out: a `ShapeInfo`. It is a function of the key alone, and so of the line alone: never of
which line came first, on which worker, or of what a cache had forgotten.
"""

import hashlib
from typing import NamedTuple

from schemas.vocabulary import Level
from streams.shape.identifiers import unify_identifiers
from streams.shape.levels import LEVEL_WORDS
from streams.shape.mask import WILDCARD, Masker, join_masked
from streams.shape.measures import (
    DurationSpan,
    continues,
    duration_spans,
    hints_duration,
    hints_status,
    names_exception,
    status_position,
)
from streams.shape.sketch import HeaderReader
from streams.shape.stamps import StampFormat
from streams.shape.structured import needs_reading, read_structured

SHAPER_VERSION = 2
"""Raised with every change that can alter a shape; part of each shape's id."""

DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
"""The table for `bytes.translate` that makes a line (or a joined batch of lines) its key."""

TEXT_LIMIT = 512
_KEY_LIMIT = 2048
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
    """What depends on the masked words and on whether a header stood before them."""

    shape_id: str
    text: str
    level: Level | None
    timed: bool
    may_have_status: bool
    is_continuation: bool
    is_exception: bool
    status_ids: tuple[str, ...]


class Shaper:
    """Gives the `ShapeInfo` of keys; remembers at most `2 * key_capacity` keys.

    A cache that is full becomes the older one, and the older one is dropped: bounded, with no
    bookkeeping on a hit.
    """

    def __init__(self, key_capacity: int = 32_768, token_capacity: int = 32_768) -> None:
        self._capacity = key_capacity
        self._known: dict[bytes, ShapeInfo] = {}
        self._older: dict[bytes, ShapeInfo] = {}
        self._cores: dict[tuple[Level | None, bool, str], _Core] = {}
        self._headers = HeaderReader(token_capacity // 2)
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
            # Always made of the unified key, never of the first key that had it.
            unified = unify_identifiers(key)
            found = self._make(key) if unified == key else self.info(unified)
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
        if len(key) > _KEY_LIMIT:
            text = text.rpartition(" ")[0] or text
        if "\t" in text:
            text = text.replace("\t", " ")
        words = text.split(" ")
        layout = self._headers.layout(words)
        level, stamp_format = layout.level, layout.stamp_format
        span = layout.span
        if span is None and stamp_format is not None:
            span = (
                _position(words, layout.stamp_word, layout.stamp_offset),
                _position(words, layout.stamp_end_word, layout.stamp_end_offset),
            )
        content = words[layout.content_word :] if layout.content_word else words
        if layout.content_offset > 0:
            content = [content[0][layout.content_offset :], *content[1:]]
        if needs_reading(content, text):
            start = _position(words, layout.content_word, layout.content_offset)
            fields = read_structured(text, start)
            if fields is not None:
                level = level or fields.level
                if fields.stamp is not None and span is None:
                    span, stamp_format = fields.stamp[:2], fields.stamp.format
                content = fields.text.split(" ")
        masked = self._masker.mask_words(content)
        core = self._cores.get((level, span is None, masked))
        if core is None:
            core = self._remember(level, span is None, masked)
        status = status_position(text) if core.may_have_status else None
        return ShapeInfo(
            core.shape_id,
            core.text,
            core.level,
            span,
            stamp_format,
            status,
            duration_spans(text) if core.timed else (),
            core.is_continuation,
            core.is_exception,
            core.status_ids if status is not None else (),
        )

    def _remember(self, level: Level | None, bare: bool, masked: str) -> _Core:
        """Do what is left to do, once for all keys with these masked words."""
        core = _finish(level, bare, masked)
        if len(self._cores) >= self._capacity:
            self._cores.clear()
        self._cores[level, bare, masked] = core
        return core


def _position(words: list[str], word: int, offset: int) -> int:
    """Return the byte at which `offset` bytes into the word of that index stand."""
    return sum(map(len, words[:word])) + word + offset


def _finish(level: Level | None, bare: bool, masked: str) -> _Core:
    joined = join_masked(masked)
    text = joined.encode("latin-1").decode("utf-8", "replace")[:TEXT_LIMIT] or WILDCARD
    exception = bare and names_exception(joined)
    if level is None:
        level = _marked_level(joined, exception)
    status_ids: tuple[str, ...] = ()
    may_have_status = hints_status(masked)
    if may_have_status:
        status_ids = tuple(
            shape_id(level, text, digit if digit in _STATUS_CLASSES else "")
            for digit in "0123456789"
        )
    return _Core(
        shape_id(level, text),
        text,
        level,
        hints_duration(masked),
        may_have_status,
        bare and continues(masked),
        exception,
        status_ids,
    )


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
