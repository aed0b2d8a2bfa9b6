"""When an event happened: a record's time, or the stamp that stands in a line.

Comes in: text or number and the append time. Goes out: milliseconds since 1970, or None.
Promise: a function of its arguments; the machine's clock and zone play no part. Where a line names
no year, the latest year that does not lie after the append time is meant; where it names no zone,
UTC is, or the zone ahead of UTC that keeps the line out of the future.
"""

import re
from calendar import timegm
from functools import lru_cache
from typing import NamedTuple

from streams.shape.stamps import StampFormat

EARLIEST_MS = 315_532_800_000
"""1980: what is stamped earlier comes from a clock that was never set."""
DAY_MS = 86_400_000
_HALF_HOUR_MS = 1_800_000
_WIDEST_ZONE_MS = 14 * 3_600_000 + _HALF_HOUR_MS
_ABBREVIATIONS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_MONTHS = {_ABBREVIATIONS[3 * i : 3 * i + 3]: i + 1 for i in range(12)}
_ZONES = {
    **dict.fromkeys(("Z", "UTC", "GMT", "WET"), 0),
    **dict.fromkeys(("CET", "BST", "WEST"), 60),
    **dict.fromkeys(("CEST", "EET"), 120),
    **dict.fromkeys(("EEST", "MSK"), 180),
    **{"EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360},
    **{"PST": -480, "PDT": -420, "AKST": -540, "AKDT": -480, "IST": 330, "JST": 540},
    **{"KST": 540, "SGT": 480, "HKT": 480, "AEST": 600, "AEDT": 660, "NZST": 720, "NZDT": 780},
}
_GROUPS = re.compile(r"\d+")
_ZONE = re.compile(
    r"(?<=[\d ])(Z|[A-Z]{3,4}|[+-]\d\d:?(?:\d\d)?)$|\s([A-Z]{3,4}|[+-]\d{4})(?=\s\d{4}$)"
)
_FRACTION = re.compile(r"(?::\d\d:\d\d|\d{6}|\.\d\d\.\d\d)[.,:](\d+)")
_MONTH = re.compile(r"Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec")
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")

_ORDER: dict[StampFormat, str] = {
    StampFormat.ISO: "ymdHMSf",
    StampFormat.ISO_SLASH: "ymdHMSf",
    StampFormat.ISO_DOT: "ymdHMSf",
    StampFormat.ISO_DASHED: "ymdHMSf",
    StampFormat.YYMMDD_SLASH: "ymdHMSf",
    StampFormat.US: "mdyHMSf",
    StampFormat.BSD: "dHMSf",
    StampFormat.BSD_YEAR: "dyHMSf",
    StampFormat.CLF: "dyHMS",
    StampFormat.DAY_MONTH: "dyHMSf",
    StampFormat.DAY_MONTH_NO_YEAR: "dHMSf",
    StampFormat.HTTP_DATE: "dyHMSf",
    StampFormat.MONTH_DAY: "mdHMSf",
    StampFormat.MONTH_DAY_DOT: "mdHMSf",
    StampFormat.TIME_ONLY: "HMSf",
}
_EPOCHS = {
    StampFormat.EPOCH_SECONDS: 1e3,
    StampFormat.EPOCH_MILLIS: 1.0,
    StampFormat.EPOCH_MICROS: 1e-3,
    StampFormat.EPOCH_NANOS: 1e-6,
}


class Reading(NamedTuple):
    """What a stamp says by itself; None where it is silent."""

    year: int | None
    month: int | None
    day: int | None
    time_ms: int
    """Milliseconds since midnight."""
    zone_minutes: int | None


@lru_cache(maxsize=4096)
def read_stamp(text: str, form: StampFormat) -> Reading | None:
    """Read `text` as a stamp of format `form`; None where the digits are no date or time."""
    parts = _split(text, form)
    if parts is None:
        return None
    try:
        year = parts.get("y")
        if year is not None and year < 100:
            year += 2000 if year < 70 else 1900
        month, day = parts.get("m"), parts.get("d")
        if form is StampFormat.US and month is not None and month > 12:
            month, day = day, month
        hour = _hour(parts["H"], text)
        minute, second = parts["M"], parts.get("S", 0)
    except KeyError:
        return None
    in_range = hour < 24 and minute < 60 and second <= 60
    if not in_range or not 1 <= (month or 1) <= 12 or not 1 <= (day or 1) <= 31:
        return None
    time_ms = (hour * 3600 + minute * 60 + second) * 1000 + parts.get("f", 0)
    return Reading(year, month, day, time_ms, _zone(text, form))


def stamp_ms(text: str, form: StampFormat, append_ms: int) -> int | None:
    """Return when a line with the stamp `text` happened; None where the stamp says nothing."""
    if form is StampFormat.UPTIME_SECONDS:
        return None
    if form in _EPOCHS:
        try:
            return plausible(int(float(text) * _EPOCHS[form]))
        except (ValueError, OverflowError):
            return None
    reading = read_stamp(text, form)
    if reading is None:
        return None
    if reading.month is None or reading.day is None:
        return plausible(_nearest_day(reading.time_ms, append_ms))
    if reading.year is None:
        year = 1970 + int(append_ms / (365.2425 * DAY_MS))
        dated = _latest(reading, year + 1, append_ms)
    else:
        dated = _date_ms(reading.year, reading.month, reading.day)
    if dated is None:
        return None
    naive = dated + reading.time_ms
    if reading.zone_minutes is not None:
        return plausible(naive - reading.zone_minutes * 60_000)
    return plausible(_out_of_the_future(naive, append_ms))


def record_ms(value: object) -> int | None:
    """Return a record's own time: ISO 8601 text, or a number of s, ms, us or ns since 1970."""
    if isinstance(value, str):
        text = value.strip()
        if _ISO.match(text) and len(text) <= 40:
            reading = read_stamp(text, StampFormat.ISO)
            if reading is None or reading.year is None or not reading.month or not reading.day:
                return None
            dated = _date_ms(reading.year, reading.month, reading.day)
            zone_ms = (reading.zone_minutes or 0) * 60_000
            return None if dated is None else plausible(dated + reading.time_ms - zone_ms)
        try:
            value = float(text)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    for bound, factor in ((1e11, 1e3), (1e14, 1.0), (1e17, 1e-3), (1e20, 1e-6)):
        if 0 <= value < bound:
            # The little that is added undoes what binary fractions take away.
            return plausible(int(value * factor + 0.001))
    return None


def plausible(time_ms: int) -> int | None:
    """Return `time_ms`, or None where no clock that was ever set can have said it."""
    return time_ms if EARLIEST_MS <= time_ms < 253_402_300_800_000 else None


def _split(text: str, form: StampFormat) -> dict[str, int] | None:
    digits = _GROUPS.findall(text)
    if form is StampFormat.BASIC and digits:
        date = digits[0]
        digits = [date[:4], date[4:6], date[6:8], *_clock(digits[1:])]
        order = "ymdHMSf"
    elif form in (StampFormat.YYMMDD, StampFormat.YYMMDD_COLON) and digits:
        date = digits[0]
        digits = [date[:2], date[2:4], date[4:6], *_clock(digits[1:])]
        order = "ymdHMSf"
    elif form is StampFormat.KLOG and digits:
        digits = [digits[0][:2], digits[0][2:4], *digits[1:]]
        order = "mdHMSf"
    elif form is StampFormat.CTIME:
        has_year = re.search(r" \d{4}$", text) is not None
        digits = [*digits[-1:], *digits[:-1]] if has_year else digits
        order = ("y" if has_year else "") + "dHMSf"
    else:
        order = _ORDER.get(form, "")
    if not order:
        return None
    parts = dict(zip(order, map(int, digits), strict=False))
    if "f" in parts:
        fraction = _FRACTION.search(text)
        parts["f"] = int((fraction.group(1) + "00")[:3]) if fraction else 0
    month = _MONTH.search(text)
    if month is not None:
        parts["m"] = _MONTHS[month.group()]
    return parts


def _clock(digits: list[str]) -> list[str]:
    """Part `101112` into hour, minute and second; leave parted clocks as they are."""
    if digits and len(digits[0]) == 6:
        return [digits[0][:2], digits[0][2:4], digits[0][4:], *digits[1:]]
    return digits


def _hour(hour: int, text: str) -> int:
    if "PM" in text:
        return hour % 12 + 12
    return hour % 12 if "AM" in text else hour


def _zone(text: str, form: StampFormat) -> int | None:
    if form is StampFormat.ISO_DASHED:
        return None
    found = _ZONE.search(text)
    if found is None or ":" not in text[: found.start()]:
        return None
    name = found.group(1) or found.group(2)
    if name[0] not in "+-":
        return _ZONES.get(name)
    digits = name[1:].replace(":", "").ljust(4, "0")
    return (int(digits[:2]) * 60 + int(digits[2:])) * (-1 if name[0] == "-" else 1)


def _date_ms(year: int, month: int, day: int) -> int | None:
    if not 1900 <= year <= 9999:
        return None
    seconds = timegm((year, month, day, 0, 0, 0))
    following = timegm((year + month // 12, month % 12 + 1, 1, 0, 0, 0))
    return seconds * 1000 if seconds < following else None


def _latest(reading: Reading, year: int, append_ms: int) -> int | None:
    """Return the latest such day until a day after the append time; 29 February may lie far."""
    assert reading.month is not None
    assert reading.day is not None
    for candidate in range(year, year - 9, -1):
        dated = _date_ms(candidate, reading.month, reading.day)
        if dated is not None and dated + reading.time_ms <= append_ms + DAY_MS:
            return dated
    return None


def _nearest_day(time_ms: int, append_ms: int) -> int:
    today = append_ms - append_ms % DAY_MS + time_ms
    if today > append_ms + DAY_MS // 2:
        return today - DAY_MS
    return today + DAY_MS if today < append_ms - DAY_MS // 2 else today


def _out_of_the_future(naive_ms: int, append_ms: int) -> int:
    """Read a stamp without zone that seems to lie ahead as one of a zone ahead of UTC."""
    ahead = naive_ms - append_ms
    if not 0 < ahead <= _WIDEST_ZONE_MS:
        return naive_ms
    return naive_ms - round(ahead / _HALF_HOUR_MS) * _HALF_HOUR_MS
