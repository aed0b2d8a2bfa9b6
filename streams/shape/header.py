"""The header of a line: time stamp, host, process, thread, level and logger.

Comes in: a key (a line with every digit mapped to `0`) as text, one character a byte. Goes out:
where the content begins, the level, the stamp. Only lines that begin with a stamp, or with a
prefix that nothing else writes (klog, RFC 5424), lose a header: a line that has none keeps all
its words, though its level is recognised.
"""

import re
from typing import NamedTuple

from schemas.vocabulary import Level
from streams.shape.levels import LETTERS, MARKS, alternatives, level_of
from streams.shape.stamps import Stamp, StampFormat, access_stamp, late_stamp, stamp_at

HEADER_LIMIT = 512
"""A header ends within this many bytes; what stands further on is content."""

_UPPER = alternatives(upper=True)
_LOWER = alternatives(upper=False)
_GAP = re.compile(r"[\s,|]*(?:-{1,3}[\s|]+|:\s+)?[\s|]*")
_LEVEL = re.compile(
    rf"(?:(?P<open>[\[(<])\s*)?(?P<word>{_UPPER}|(?i:{_LOWER}))"
    r"(?P<close>\s*[\])>:|]+|(?=\s*[,|])|(?=\s|$))"
)
_ANDROID = re.compile(r"([VDIWEF])[ /](?=[\w.$-]+\s*[:(])")
_NAME_DASH = re.compile(r"[A-Za-z][\w.$-]*(?: \*0+)? - (?=\S)")
_CHANNEL = re.compile(rf"[\w-]+\.({_UPPER}): ")
_REDIS = re.compile(r"([.*#-]) ")
_INNER = r"(?:[^\[\]:]|:(?! ))*"
_IDS = re.compile(
    rf"\[(?!client |instance:){_INNER}(?:\[[^\[\]]*\]{_INNER})*\](?::(?=\s))?"
    r"|(?!0{1,3}(?:\.0{1,3}){3})(?:0+(?:[-:#.]0+)*|0x[0-9a-f]+|\(0+\))(?:\s?:(?=\s)|(?=\s))"
)
_AHEAD = re.compile(
    rf"(?:(?:[^\s\"']*[^\sa-zA-Z:\"'][^\s\"']*|[A-Z_]{{2,}}|\S+\s+-|[a-z_]\w*)[\s|]+)"
    rf"{{1,5}}?\[?(?P<word>{_UPPER})(?P<close>\s*[\]|]|:|\s)"
)
_LOGGER = re.compile(
    r"(?!\w*(?:Exception|Error)\b)(?:[A-Za-z_$][\w.$/@~-]*(?:\([^)\s]*\))?(?:\[0+\])?\s{0,30}:(?=\s)"
    r"|[A-Za-z_$][\w$-]*(?:\.[\w$-]+)+(?::0+)?(?=\s+[\[-]\s?|\s{2,}|\t)"
    r"|[a-z_]\w*(?:\.\w+){2,}(?=\s)"
    r"|[\w./-]+\.[a-z]{1,4}:0+(?=\s|\])|[A-Za-z]\w*(?=\s{3,}|\s-\s))"
)
_PROGRAM = re.compile(
    r"(?:-- )?[\w./@-]+(?:\([^)\s]*\))?(?:\[[\w.-]*\])?(?: 0[\w.]*)?(?: \([^)]*\))?:(?=\s|$)"
)
_HOST = re.compile(r"(?!last message)[^\s:\[\]\"=]+\s+")
_HOST_PROGRAM = re.compile(r"[\w.-]+ (?:-- )?[\w./@-]+(?:\([^)\s]*\))?\[0+\]:(?=\s)")
_RFC5424 = re.compile(r"<0{1,3}>0 (?=\S+ \S+ \S+ \S+ \S+ )")
_RFC5424_TAIL = re.compile(r" \S+ \S+ \S+ \S+ (?:-|(?:\[[^\]]*\])+) ?")
_PRI = re.compile(r"<0{1,3}>")
_KLOG = re.compile(r"([IWEFD])(0000(?:0000)? 00:00:00(?:\.0+)?)\s+0+ [^\s\]]+\] ?")
_UPTIME = re.compile(r"\[ *(0+\.0{3,6})s?\](?:\[ *[TC]?0+\])? ?|(0+\.000): (?=\[)")
_JVM_TAGS = re.compile(r"\[([a-z]+) *\]\[[^\]]*\]\s*")
_REDIS_HEAD = re.compile(r"\[?0+(?::[XCSM]|\]) (?=0?0 [A-Z][a-z]{2} )")


class Header(NamedTuple):
    """Where the content begins (bytes), and what the header says."""

    content_start: int
    level: Level | None
    stamp: Stamp | None


def read_header(text: str) -> Header:
    """Find the header of `text`; `content_start` is 0 where there is none."""
    start = 0
    found = _PRI.match(text)
    if found is not None:
        syslog = _RFC5424.match(text)
        if syslog is not None:
            return _rfc5424(text, syslog.end())
        start = found.end()
    first = text[start : start + 1]
    if first in "IWEFD":
        klog = _KLOG.match(text, start)
        if klog is not None:
            stamp = Stamp(*klog.span(2), StampFormat.KLOG)
            return Header(klog.end(), LETTERS[klog.group(1)], stamp)
    if first in "[0":
        uptime = _UPTIME.match(text, start)
        if uptime is not None:
            span = uptime.span(1) if uptime.group(1) else uptime.span(2)
            stamp = Stamp(*span, StampFormat.UPTIME_SECONDS)
            return _after_uptime(text, uptime.end(), stamp)
        redis = _REDIS_HEAD.match(text, start)
        if redis is not None:
            start = redis.end()
    opening = start + 1 if text[start : start + 1] in ("[", "(") else start
    stamp_found = stamp_at(text, opening) or late_stamp(text, start)
    if stamp_found is None:
        return Header(start, opening_level(text, start), access_stamp(text))
    return _walk(text, stamp_found)


def _rfc5424(text: str, start: int) -> Header:
    stamp = stamp_at(text, start)
    if stamp is None:
        return Header(start, opening_level(text, start), None)
    tail = _RFC5424_TAIL.match(text, stamp.end)
    end = tail.end() if tail is not None else stamp.end
    return Header(end, opening_level(text, end), stamp)


def _after_uptime(text: str, start: int, stamp: Stamp) -> Header:
    """Step over the level and tags of a JVM's unified log; a kernel's line has none."""
    tags = _JVM_TAGS.match(text, start)
    if tags is None:
        return Header(start, opening_level(text, start), stamp)
    return Header(tags.end(), level_of(tags.group(1)), stamp)


def opening_level(text: str, start: int) -> Level | None:
    """Return the level that a content's own first words state (`error: ...`, `[WARN] ...`)."""
    found = _LEVEL.match(text, start)
    if found is None or (not found.group("close") and not found.group("word").isupper()):
        return None
    return level_of(found.group("word"))


def _walk(text: str, stamp: Stamp) -> Header:
    """Step over the parts of a header behind its stamp until one is content."""
    position = stamp.end + 1 if text[stamp.end : stamp.end + 1] in ("]", ")") else stamp.end
    if stamp.format is StampFormat.BSD or _HOST_PROGRAM.match(text, position + 1):
        return _syslog(text, position, stamp)
    level: Level | None = None
    limit = min(len(text), HEADER_LIMIT)
    logger_seen = False
    for _ in range(9):
        gap = _GAP.match(text, position)
        position = gap.end() if gap is not None else position
        if position >= limit:
            break
        again = stamp_at(text, position) if level is None else None
        if again is not None:
            stamp = again if again.format is not StampFormat.TIME_ONLY else stamp
            position = again.end
            continue
        if level is None:
            level, position, last = _level_step(text, position)
            if last:
                break
            if level is not None:
                continue
            named = _NAME_DASH.match(text, position)
            if named is not None and not logger_seen:
                logger_seen, position = True, named.end()
                continue
        ids = _IDS.match(text, position)
        if ids is not None:
            position = ids.end()
            continue
        if level is not None and not logger_seen:
            logger = _LOGGER.match(text, position)
            if logger is not None:
                logger_seen, position = True, logger.end()
                if text[position - 1] == ":":
                    break
                continue
        break
    gap = _GAP.match(text, position)
    position = gap.end() if gap is not None else position
    return Header(position, level or opening_level(text, position), stamp)


def _level_step(text: str, position: int) -> tuple[Level | None, int, bool]:
    """Read a level at `position` or a few header words on: (level, new position, ends header)."""
    found = _LEVEL.match(text, position)
    if found is not None and _is_header_level(found):
        return level_of(found.group("word")), found.end(), found.group("close").endswith(":")
    channel = _CHANNEL.match(text, position)
    if channel is not None:
        return level_of(channel.group(1)), channel.end(), True
    mark = _REDIS.match(text, position)
    if mark is not None:
        return MARKS[mark.group(1)], mark.end(), True
    letter = _ANDROID.match(text, position)
    if letter is not None:
        return LETTERS[letter.group(1)], letter.end(), False
    ahead = _AHEAD.match(text, position, position + 200)
    if ahead is not None and not text.startswith("[client ", position):
        return level_of(ahead.group("word")), ahead.end(), ahead.group("close") == ":"
    return None, position, False


def _is_header_level(found: re.Match[str]) -> bool:
    """Tell a level from a sentence's first word: upper case, enclosed, or set apart by spaces."""
    if found.group("word").isupper() or found.group("close"):
        return True
    text, end = found.string, found.end()
    return text[end : end + 2] in ("  ", " [", " -", " (") or text[end : end + 1] in (
        "\t",
        ",",
        "|",
    )


def _syslog(text: str, position: int, stamp: Stamp) -> Header:
    gap = _GAP.match(text, position)
    position = gap.end() if gap is not None else position
    host = _HOST.match(text, position)
    if host is not None and not _PROGRAM.match(text, position):
        position = host.end()
    program = _PROGRAM.match(text, position)
    if program is not None:
        position = program.end()
    while text[position : position + 1].isspace():
        position += 1
    if program is not None:
        uptime = _UPTIME.match(text, position)
        position = uptime.end() if uptime is not None else position
    return Header(position, opening_level(text, position), stamp)
