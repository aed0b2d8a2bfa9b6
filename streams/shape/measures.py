"""Where in a line the numbers stand that are worth keeping: HTTP status and durations.

Comes in: a key as text (every digit `0`, one character a byte). Goes out: byte offsets, with
which the caller reads the values from the line itself. Also: does a line continue the one above?
"""

import re
from typing import NamedTuple

_METHOD = r"(?:GET|POST|PUT|DELETE|HEAD|PATCH|OPTIONS|PROPFIND|CONNECT)"
_STATUS = re.compile(
    r"HTTP/0(?:\.0)?\\?\"?[ ,]{1,2}\"?(?:status=)?(000)(?![\d.])"
    r"|(?i:(?:status(?:[._-]?code)?|\bcode|_code)\\?[\"']?\s?[=:]\s?\\?[\"']?)(000)(?![\d.])"
    r"|(?i:\bstatus(?: code)?(?: is| of)?|\bHTTP|\bresponded(?: with)?|\breturned(?: HTTP)?"
    r"|\bCompleted) (000)(?![\d.])"
    rf"|(?<= ){_METHOD} /[^\n]{{0,900}}? (000)(?: 0+){{2,}}\s*$"
    rf"|{_METHOD} /\S* (000)(?= )"
)
_STATUS_HINT = re.compile(
    r"HTTP|(?i:status|code|responded|returned|completed)|\b(?:GET|POST|PUT|DELETE|HEAD|PATCH) "
)
_DURATION_HINT = re.compile(
    r"<\*> ?(?:ns|us|\xc2\xb5s|\xb5s|ms|s|m|h|[nmu]?secs?|milli\w*|micro\w*|nano\w*|seconds?"
    r"|mins?|minutes?|hours?|MILLISECONDS)(?!\w)"
    r"|(?i:duration|latency|elapsed|took|time)[._-]?(?:ms|us|ns|s|millis|seconds)\b"
)
_DURATION = re.compile(
    r"(?<![\w.:,-])0+(?:\.0+)?\s?(ns|nanoseconds?|us|\xc2\xb5s|\xb5s|microseconds?|usecs?"
    r"|ms|msecs?|millis|milliseconds?|MILLISECONDS|s|secs?|seconds?|m|mins?|minutes?|h|hours?)(?![\w/])"
)
_DURATION_KEY = re.compile(
    r"(?i:\b(?:duration|latency|elapsed|took|time|response_time|request_time)[._-]?(ms|us|ns|s|millis|seconds))"
    r"\\?[\"']?\s?[=:]\s?\"?(0+(?:\.0+)?)(?![\w.])"
)
_DURATION_LIMIT = 8
_CONTINUATION = re.compile(
    r" +\S"
    r"|Caused by: |Suppressed: |\.{3} <\*> (?:more|common frames)"
    r"|at [\w$.<>/*@]+\("
    r"|goroutine <\*> \[|created by [\w./]+\.|[\w./*()<>-]+\(<\*>[,)]"
    r"|During handling of the above exception|The above exception was the direct cause"
    r"|[}\])]+[,;]?\s*$|#?<\*> +(?:<\*>|\{main\}|\[internal)"
)
_EXCEPTION = re.compile(
    r"(?:[a-z][\w$]*\.)*[A-Z][\w$]*(?:Exception|Error|Throwable|Failure|Interrupt)(?::(?: |$)|$)"
)


class DurationSpan(NamedTuple):
    """A number with a unit of time: byte offsets of the number, and milliseconds per unit."""

    start: int
    end: int
    ms_factor: float


def hints_status(masked: str) -> bool:
    """Tell whether a line with these masked words may hold an HTTP status."""
    return _STATUS_HINT.search(masked) is not None


def hints_duration(masked: str) -> bool:
    """Tell whether a line with these masked words may hold a duration."""
    return _DURATION_HINT.search(masked) is not None


def status_position(text: str) -> int | None:
    """Return the offset of an HTTP status's first digit in an access-log-like line, or None.

    Who reads the digit must still check that it is 1 to 5.
    """
    found = _STATUS.search(text)
    if found is None or found.lastindex is None:
        return None
    return found.start(found.lastindex)


def duration_spans(text: str) -> tuple[DurationSpan, ...]:
    """Return the first numbers with a unit of time (at most 8), in the order of the line."""
    spans = [
        DurationSpan(*_number_span(found), _factor(found.group(1)))
        for found in _DURATION.finditer(text)
    ]
    spans += [
        DurationSpan(*found.span(2), _factor(found.group(1)))
        for found in _DURATION_KEY.finditer(text)
    ]
    return tuple(sorted(spans)[:_DURATION_LIMIT])


def _number_span(found: re.Match[str]) -> tuple[int, int]:
    end = found.start(1)
    while found.string[end - 1].isspace():
        end -= 1
    return found.start(), end


def _factor(unit: str) -> float:
    """Return how many milliseconds one `unit` is."""
    lowered = unit.lower()
    if lowered.startswith("mic"):
        return 1e-3
    if lowered.startswith(("ms", "mil")):
        return 1.0
    if lowered.startswith("m"):
        return 60_000.0
    if lowered.startswith("h"):
        return 3_600_000.0
    if lowered.startswith("s"):
        return 1_000.0
    return 1e-6 if lowered.startswith("n") else 1e-3


def continues(masked: str) -> bool:
    """Tell whether a line without a header looks like the inside of a stack trace or a block."""
    return _CONTINUATION.match(masked) is not None


def names_exception(text: str) -> bool:
    """Tell whether a line begins with the class name of an exception, as `a.b.SomeError: ...`."""
    return _EXCEPTION.match(text) is not None
