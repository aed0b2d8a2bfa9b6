"""Where a line's own timestamp stands, and in which format it is written.

Comes in: a key (a line with every digit mapped to `0`) and a position. Goes out: the span and a
`StampFormat`. The digits are not there, so nothing is parsed or checked here: who parses the
span reads the line itself and may find that it is no date at all.
"""

import re
from enum import StrEnum
from typing import NamedTuple


class StampFormat(StrEnum):
    """How the stamp is written; each with an example. `…` marks what may be missing."""

    ISO = "iso"
    """2015-10-18 18:01:47…,978…+02:00, also with T, Z, UTC, CEST."""
    ISO_SLASH = "iso-slash"
    """2016/10/25 14:49:34…, day and time may be joined by a colon."""
    ISO_DOT = "iso-dot"
    """2005.06.03 10:11:12…"""
    ISO_DASHED = "iso-dashed"
    """2005-06-03-15.42.50.675872"""
    BASIC = "basic"
    """20171223-22:15:29:606, 20240101T101112Z, 20171223 10:11:12"""
    YYMMDD_SLASH = "yymmdd-slash"
    """17/06/09 20:10:40: two-digit year, month, day"""
    YYMMDD = "yymmdd"
    """081109 203615: two-digit year, month, day, then the time without colons"""
    YYMMDD_COLON = "yymmdd-colon"
    """140312 14:01:46 or 140312  4:01:46 (MySQL)"""
    US = "us"
    """05/17/2018 08:29:12… AM: month and day may be swapped by the writer"""
    BSD = "bsd"
    """Jun 14 15:16:01… (no year)"""
    BSD_YEAR = "bsd-year"
    """Jun 14 2020 15:16:01…"""
    CTIME = "ctime"
    """Sun Dec 04 04:47:44….123 2005"""
    CLF = "clf"
    """10/Oct/2000:13:55:36 -0700"""
    DAY_MONTH = "day-month"
    """17 Oct 2013 17:32:34….123, also 17-Oct-2013"""
    DAY_MONTH_NO_YEAR = "day-month-no-year"
    """17 Oct 17:32:34….123"""
    HTTP_DATE = "http-date"
    """Mon, 02 Jan 2006 15:04:05 GMT"""
    MONTH_DAY = "month-day"
    """03-17 16:13:38.811 (no year)"""
    MONTH_DAY_DOT = "month-day-dot"
    """10.30 16:49:06 (no year)"""
    KLOG = "klog"
    """0917 10:11:12.123456 after a level letter (no year)"""
    EPOCH_SECONDS = "epoch-s"
    """1077804742 or 1066036250.603"""
    EPOCH_MILLIS = "epoch-ms"
    """1523456789012"""
    EPOCH_MICROS = "epoch-us"
    EPOCH_NANOS = "epoch-ns"
    TIME_ONLY = "time-only"
    """16:13:38.811 (no date)"""
    UPTIME_SECONDS = "uptime-s"
    """[12345.678901] of a kernel, 0.123: of a JVM: since boot or start, no wall time"""


class Stamp(NamedTuple):
    """A timestamp that stands in a line: byte offsets and format."""

    start: int
    end: int
    format: StampFormat


_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_TIME = r"00:00:00(?:[.,]0{1,9})?"
_ZONE_NAME = (
    "(?:UTC|GMT|Z|CES?T|EES?T|WES?T|BST|MSK|E[SD]T|C[SD]T|M[SD]T|P[SD]T|AK[SD]T|IST|JST|KST|SGT"
    "|HKT|AE[SD]T|NZ[SD]T|[+-]00:?(?:00)?)"
)
_ZONE = rf"(?: ?{_ZONE_NAME}(?![\w.]))?"
_FORMS: list[tuple[StampFormat, str]] = [
    (StampFormat.ISO_DASHED, r"0000-00-00-00\.00\.00(?:\.0{1,9})?"),
    (StampFormat.ISO, rf"0000-00-00[T _]0?0:00(?::00(?:[.,]0{{1,9}})?)?{_ZONE}"),
    (StampFormat.ISO_SLASH, rf"0000/00/00[ T:-]0?0:00:00(?:[.,]0{{1,9}})?{_ZONE}"),
    (StampFormat.ISO_DOT, rf"0000\.00\.00[ T-]{_TIME}{_ZONE}"),
    (StampFormat.BASIC, rf"00000000(?:[ T-]00:00:00(?:[.,:]0{{1,9}})?|T000000(?:\.0+)?){_ZONE}"),
    (StampFormat.EPOCH_NANOS, r"0{19}(?=[\s|,\]])"),
    (StampFormat.EPOCH_MICROS, r"0{16}(?=[\s|,\]])"),
    (StampFormat.EPOCH_MILLIS, r"0{13}(?=[\s|,\]])"),
    (StampFormat.EPOCH_SECONDS, r"0{10}(?:\.0{1,9})?(?=[\s|,\]])"),
    (StampFormat.YYMMDD_SLASH, rf"00/00/00 {_TIME}"),
    (StampFormat.US, rf"0?0/0?0/0000,? 0?0:00:00(?:[.,]0{{1,9}})?(?: [AP]M)?{_ZONE}"),
    (StampFormat.CLF, rf"00/{_MONTH}/0000:00:00:00(?: [+-]0000)?"),
    (StampFormat.DAY_MONTH, rf"0?0[ -]{_MONTH}[ -]0000,? {_TIME}{_ZONE}"),
    (StampFormat.DAY_MONTH_NO_YEAR, rf"0?0[ -]{_MONTH} {_TIME}"),
    (StampFormat.YYMMDD_COLON, r"000000 {1,2}0?0:00:00(?!\S)"),
    (StampFormat.YYMMDD, r"000000 000000(?= )"),
    (StampFormat.MONTH_DAY, rf"00-00 {_TIME}"),
    (StampFormat.MONTH_DAY_DOT, rf"00\.00 {_TIME}"),
    (StampFormat.TIME_ONLY, r"00:00:00(?:[.,]0{1,9})?(?=[\]\s|]|$)"),
    (StampFormat.BSD_YEAR, rf"{_MONTH} {{1,2}}0?0,? 0000,? {_TIME}(?: [AP]M)?{_ZONE}"),
    (StampFormat.BSD, rf"{_MONTH} {{1,2}}0?0 {_TIME}"),
    (StampFormat.CTIME, rf"{_DAY} {_MONTH} {{1,2}}0?0 {_TIME}(?: {_ZONE_NAME})?(?: 0000)?"),
    (StampFormat.HTTP_DATE, rf"{_DAY}, 00 {_MONTH} 0000 {_TIME}{_ZONE}"),
]
_TAGS = {form.name: form for form, _ in _FORMS}
_STAMP = re.compile("|".join(f"(?P<{form.name}>{pattern})" for form, pattern in _FORMS))
_STAMP_STARTS = frozenset("0JFMASONDTW")
_NOT_LATE = frozenset(
    {"TIME_ONLY", "YYMMDD", "MONTH_DAY_DOT", "EPOCH_MILLIS", "EPOCH_MICROS", "EPOCH_NANOS"}
)
_LATE_PREFIX = re.compile(
    r"(?:(?:-|[A-Za-z_.:/|-]*[^A-Za-z\s\"'()={},;]\S*) +\|? *){1,4}?(?=[0JFMASOND])"
)


def stamp_at(text: str, start: int) -> Stamp | None:
    """Return the timestamp that begins exactly at `start`, or None."""
    if start >= len(text) or text[start] not in _STAMP_STARTS:
        return None
    found = _STAMP.match(text, start)
    if found is None or found.lastgroup is None:
        return None
    return Stamp(start, found.end(), _TAGS[found.lastgroup])


def late_stamp(text: str, start: int) -> Stamp | None:
    """Return a full timestamp behind at most four words that no sentence would hold, or None.

    Such words (a node name, a file name, a serial number) carry a digit or a sign; so the words
    of a message that ends in a date are not taken for a header.
    """
    position = start
    for _ in range(4):
        found = _LATE_PREFIX.match(text, position)
        if found is None:
            return None
        position = found.end()
        stamp = stamp_at(text, position)
        if stamp is not None and stamp.format.name not in _NOT_LATE:
            return stamp
    return None


def access_stamp(text: str) -> Stamp | None:
    """Return the bracketed timestamp of a common-log-format line, which keeps all its words."""
    bracket = text.find(" [00/", 0, 256)
    if bracket < 0:
        return None
    stamp = stamp_at(text, bracket + 2)
    return stamp if stamp is not None and stamp.format is StampFormat.CLF else None
