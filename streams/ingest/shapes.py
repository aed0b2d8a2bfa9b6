"""From a batch of lines to numbers: which layout each line has, and what each layout says.

Comes in: the lines of a batch. Goes out: one code per line; tables give what a code means.
A *layout* is a shape and where its values stand, so that thousands of keys share one. Promise:
codes hold for the batch at hand; what is remembered between batches is bounded and changes nothing.
"""

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.vocabulary import Level
from streams.ingest.entries import LEVEL_CODE, NO_LEVEL, Codes, Ints
from streams.ingest.redact import Redactor
from streams.shape.identifiers import unify_identifiers
from streams.shape.shaper import DIGITS_TO_ZERO, SHAPER_VERSION, ShapeInfo, Shaper

SHAPER_NAME = str(SHAPER_VERSION)
HEAD, CONTINUATION, EXCEPTION = 0, 1, 2
"""Kinds of line: an event of its own; the inside of one; an exception's name, perhaps either."""
SHAPE_TEXT_LIMIT = 512
_LONG_KEY = 2048


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a shape leaves ingest."""

    shape_id: str
    text: str
    level: Level | None


@dataclass(slots=True)
class Lines:
    """The lines of one batch in bytes."""

    buffer: bytes
    """All lines in UTF-8, joined by one byte."""
    starts: Ints
    lengths: Ints
    codes: Ints
    """The layout of each line."""

    def slice(self, line: int, start: int, end: int) -> bytes:
        """Return bytes [start, end) of a line."""
        begin = int(self.starts[line])
        return self.buffer[begin + start : min(begin + end, begin + int(self.lengths[line]))]


class _KeyCodes(dict[bytes, int]):
    """Key to layout code; a missing key is shaped, and remembered if it is not too long."""

    def __init__(self, table: "ShapeTable") -> None:
        super().__init__()
        self._table = table

    def __missing__(self, key: bytes) -> int:
        unified = unify_identifiers(key)
        code = self._table.code_of(key) if unified == key else self[unified]
        if len(key) <= _LONG_KEY:
            self[key] = code
        return code


class ShapeTable:
    """All layouts and shapes seen since the tables were last emptied."""

    def __init__(self, cached_keys: int, redactor: Redactor) -> None:
        self._limit = cached_keys
        self._redactor = redactor
        self._shaper = Shaper(key_capacity=1024)
        self._read = self._missed = 0
        self._empty()

    def _empty(self) -> None:
        self._keys = _KeyCodes(self)
        self._layouts: Codes[tuple[object, ...]] = Codes()
        self.infos: list[ShapeInfo] = []
        self.shapes: list[Shape] = []
        self._shape_codes: dict[str, int] = {}
        self._status_shapes: dict[tuple[int, int], int] = {}
        self._columns = {name: array("q") for name in ("shape", "kind", "level", "status", "time")}

    @property
    def cached_keys(self) -> int:
        """Return how many keys are remembered now."""
        return len(self._keys)

    @property
    def hit_ratio(self) -> float:
        """Return the share of all lines read so far whose key was remembered."""
        return 1.0 - self._missed / self._read if self._read else 0.0

    def read(self, joined: str) -> Lines:
        """Give each of the texts, joined by NULs, its layout."""
        if len(self._keys) >= self._limit:
            self._empty()
        buffer = joined.encode("utf-8", "replace")
        keys = buffer.translate(DIGITS_TO_ZERO).split(b"\0")
        self._read += len(keys)
        lengths = np.fromiter(map(len, keys), np.int64, len(keys))
        starts = np.cumsum(lengths + 1) - lengths - 1
        codes = np.fromiter(map(self._keys.__getitem__, keys), np.int64, len(keys))
        return Lines(buffer, starts, lengths, codes)

    def column(self, name: str) -> Ints:
        """Return a table over layouts: `shape` (code), `kind`, `level`, `status` (offset or -1) or
        `time` (1 where durations stand in the line).
        """
        return np.array(self._columns[name], dtype=np.int64)

    def code_of(self, key: bytes) -> int:
        """Shape a key; equal layouts share one code."""
        self._missed += 1
        info = self._shaper.info(key)
        layout = (
            info.shape_id,
            info.stamp_span,
            info.stamp_format,
            info.status_pos,
            info.duration_spans,
            info.is_continuation,
            info.is_exception,
        )
        known = self._layouts.get(layout)
        if known is not None:
            return known
        code = self._layouts[layout]
        self.infos.append(info)
        columns = self._columns
        columns["shape"].append(self._shape_code(info.shape_id, info))
        kind = CONTINUATION if info.is_continuation else EXCEPTION if info.is_exception else HEAD
        columns["kind"].append(kind)
        columns["level"].append(NO_LEVEL if info.level is None else LEVEL_CODE[info.level])
        columns["status"].append(-1 if info.status_pos is None else info.status_pos)
        columns["time"].append(1 if info.duration_spans else 0)
        return code

    def with_status(self, layout: int, digit: int) -> int:
        """Return the shape code of a layout whose HTTP status begins with `digit`."""
        known = self._status_shapes.get((layout, digit))
        if known is None:
            info = self.infos[layout]
            known = self._shape_code(info.with_status(digit), info)
            self._status_shapes[(layout, digit)] = known
        return known

    def _shape_code(self, shape_id: str, info: ShapeInfo) -> int:
        known = self._shape_codes.get(shape_id)
        if known is None:
            known = self._shape_codes[shape_id] = len(self.shapes)
            text = self._redactor.redact(info.text)[:SHAPE_TEXT_LIMIT]
            self.shapes.append(Shape(shape_id, text, info.level))
        return known


def status_digits(lines: Lines, positions: Ints) -> NDArray[np.int64]:
    """Return the digit at each line's position (an HTTP status class), 0 where none of 1-5."""
    digits = np.zeros(len(positions), np.int64)
    chosen = np.flatnonzero((positions >= 0) & (positions < lines.lengths))
    if len(chosen):
        bytes_ = np.frombuffer(lines.buffer, np.uint8)
        found = bytes_[lines.starts[chosen] + positions[chosen]].astype(np.int64) - ord("0")
        digits[chosen] = np.where((found >= 1) & (found <= 5), found, 0)
    return digits
