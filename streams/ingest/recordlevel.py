"""The level that a record states in a field, in words or in the numbers of several worlds.

Comes in: a decoded record. Goes out: a `Level` or None. Numbers: 0-7 syslog (RFC 5424; GELF and the
journal use it), 10-60 bunyan and pino; OpenTelemetry's 1-24 through `level_of_severity_number`.
"""

from typing import Any

from schemas.vocabulary import Level
from streams.shape.levels import level_of

_SYSLOG = (
    Level.FATAL, Level.FATAL, Level.FATAL, Level.ERROR, Level.WARN, Level.INFO, Level.INFO,
    Level.DEBUG,
)  # fmt: skip
_BUNYAN = {
    10: Level.DEBUG, 20: Level.DEBUG, 30: Level.INFO, 40: Level.WARN, 50: Level.ERROR,
    60: Level.FATAL,
}  # fmt: skip


def level_of_record(document: dict[str, Any], names: tuple[str, ...]) -> Level | None:
    """Return the level in the first of the fields `names` that states one."""
    for name in names:
        found: Any = document.get(name)
        if found is None and "." in name:
            found = document
            for part in name.split("."):
                found = found.get(part) if isinstance(found, dict) else None
        level = level_of_value(found)
        if level is not None:
            return level
    return None


def level_of_value(value: Any) -> Level | None:
    """Return the level that a word or number states."""
    if isinstance(value, str):
        word = value.strip()
        return level_of_value(int(word)) if word.isdecimal() and len(word) < 3 else level_of(word)
    if isinstance(value, int) and not isinstance(value, bool):
        return _SYSLOG[value] if 0 <= value < 8 else _BUNYAN.get(value)
    return None


def level_of_severity_number(number: int) -> Level | None:
    """Return the level of an OpenTelemetry severity number (1-24)."""
    if not 1 <= number <= 24:
        return None
    steps = (Level.DEBUG, Level.DEBUG, Level.INFO, Level.WARN, Level.ERROR, Level.FATAL)
    return steps[(number - 1) // 4]
