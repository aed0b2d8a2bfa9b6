"""Puts untrusted text where a model reads it as data and nothing else.

Comes in: objects made of log text, a nonce nobody could have known when the line was written.
Goes out: JSON lines between two markers. Promise: pure; the markers stand in the block only as its
first and last line; every line is JSON in ASCII or visible characters, bounded in length.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agents.logic.prompting.characters import harmless

MAX_TEXT = 400
"""Characters of one untrusted text, whoever asks for more."""
_TAG = "data"
_TAG_LENGTH = 12
MARKER_PATTERN = re.compile(rf"\[?/?\b{_TAG}-[0-9a-f]{{{_TAG_LENGTH}}}\b\]?", re.I)
"""What any marker of this project looks like: an answer that holds one is cleaned of it."""
_REMOVED = "(mark)"

Plain = str | int | float | list[str]


@dataclass(frozen=True, slots=True)
class Markers:
    """The first and last line of one request's block."""

    tag: str

    @property
    def begin(self) -> str:
        """Return the line before the data."""
        return f"[{self.tag}]"

    @property
    def end(self) -> str:
        """Return the line after the data."""
        return f"[/{self.tag}]"


def markers_of(nonce: str, subject: str) -> Markers:
    """Derive the markers of one request from an unpredictable nonce and what is asked about."""
    if len(nonce) < 8:
        raise ValueError(f"nonce is {nonce!r}; give at least 8 unpredictable characters")
    digest = hashlib.sha256(f"{nonce}\0{subject}".encode()).hexdigest()
    return Markers(f"{_TAG}-{digest[:_TAG_LENGTH]}")


def quarantined(text: str, markers: Markers, limit: int = MAX_TEXT) -> str:
    """Return one untrusted text made harmless, bounded, and without anything like a marker."""
    bounded = harmless(text, min(limit, MAX_TEXT))
    own = re.sub(re.escape(markers.tag), _REMOVED, bounded, flags=re.I)
    return MARKER_PATTERN.sub(_REMOVED, own)


def block(rows: Iterable[Mapping[str, Plain]], markers: Markers) -> str:
    """Return the rows as JSON lines between the markers; every text in them is quarantined."""
    lines = [
        json.dumps(
            {name: _clean(value, markers) for name, value in row.items()},
            ensure_ascii=False,
            separators=(",", ":"),
        )
        for row in rows
    ]
    return "\n".join([markers.begin, *lines, markers.end])


def _clean(value: Plain, markers: Markers) -> Plain:
    if isinstance(value, str):
        return quarantined(value, markers)
    if isinstance(value, list):
        return [quarantined(item, markers) for item in value]
    return value
