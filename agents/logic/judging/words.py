"""Splits a log line into the words that carry its meaning.

Comes in: a raw, redacted or masked line. Goes out: lower-case words, camel case and snake case
taken apart, variables dropped, a few numbers that matter turned into words of their own.
Promise: a function of the text alone; a line and its masked shape give nearly the same words.
"""

import re

MAX_CHARACTERS = 2_000
"""What stands beyond is not read: a stack trace says what it has to say at its top."""

_MASK = re.compile(r"<[A-Z*][A-Z0-9_*:-]*>")
_VARIABLE = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F-]*[0-9][0-9a-fA-FxX.:-]*")
"""A run that holds a digit and otherwise only what addresses, ids and stamps are made of."""
_HTTP_STATUS = re.compile(
    r"(?:(?:HTTP/[0-9.]+\"?|[Ss]tatus(?:[ _-]?[Cc]ode)?[\"']?[ =:]*|code[=:])\s*|\" )"
    r"([1-5])(\d\d)\b"
)
_DIGIT = re.compile(r"\d")
_PERCENT = re.compile(r"\b(\d{1,3})(?:\.\d+)?\s?%")
_DURATION = re.compile(
    r"\b(\d+)(?:\.\d+)?\s?(ms|msecs?|milliseconds|MS|secs?|seconds|s|mins?|minutes|hours?)\b"
)
_REPEATED = re.compile(
    r"\b(\d+)\s(?:more\b|times\b|(?:consecutive|successive|failed|unsuccessful)\s"
    r"|(?:failures|attempts|retries|errors)\b|in a row\b)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
_APOSTROPHE = re.compile(r"(?<=[A-Za-z])['’](?=t\b)")
_ATTACK = re.compile(
    r"(?:\.\.[/\\]){2,}(?:etc|windows|winnt|boot|bin|proc|var)|\.\.(?:%2f|%5c)|%2e%2e|%252e|%00"
    r"|/etc/(?:passwd|shadow)\b.* HTTP/|\$\{(?:jndi|lower|upper|env|::-)|\(\)\s*\{\s*:"
    r"|(?:<|%3c)\s*(?:script|iframe|svg)|union(?:\s|\+|%20)+(?:all(?:\s|\+|%20)+)?select"
    r"|information_schema|(?:'|%27)(?:\s|\+|%20)*or(?:\s|\+|%20)+(?:'|%27)?\w+(?:'|%27)?="
    r"|(?:sleep|benchmark|waitfor)\(\d|[;|`](?:\+|%20)*(?:wget|curl|nc|bash|sh)(?:\+|%20)"
    r"|@java\.lang|<!entity|cmd\.exe\?",
    re.IGNORECASE,
)
"""What requests carry that try to break in: ways out of a folder, code and queries in a value."""
_KEPT_STATUS = frozenset({"400", "401", "403", "404", "407", "408", "413", "429"})
_CALENDAR = frozenset(
    re.findall(
        r"\w+",
        "jan feb mar apr may jun jul aug sep oct nov dec mon tue wed thu fri sat sun "
        "utc gmt cet cest est edt pst pdt",
    )
)
_LONG_DURATION_MS = 1_000
_VERY_LONG_DURATION_MS = 10_000
_UNIT_MS = {"m": 1, "s": 1_000, "min": 60_000, "h": 3_600_000}
_MANY_TIMES = 3
_HIGH_PERCENT = 85


def words_of(text: str) -> list[str]:
    """Return the words of a line in their order; never raises; at most MAX_CHARACTERS are read."""
    head = text[:MAX_CHARACTERS]
    told = _telling_numbers(head) if _DIGIT.search(head) else []
    if _ATTACK.search(head):
        told.append("attackpayload")
    plain = _MASK.sub(" ", _APOSTROPHE.sub("", head))
    plain = _VARIABLE.sub(" ", plain)
    words = [word for word in parts_of(plain) if len(word) > 1]
    return [word for word in words if word not in _CALENDAR] + told


def parts_of(text: str) -> list[str]:
    """Return the words of a text or a name, camel case and snake case taken apart, lower-case."""
    return [word.lower() for word in _WORD.findall(text)]


def _telling_numbers(text: str) -> list[str]:
    """Return words for the numbers that change a judgement: status, share, duration."""
    found: list[str] = []
    for first, rest in _HTTP_STATUS.findall(text):
        found.append(f"http{first}xx")
        if first + rest in _KEPT_STATUS:
            found.append(f"http{first}{rest}")
    if any(int(share) >= _HIGH_PERCENT for share in _PERCENT.findall(text)):
        found.append("percenthigh")
    found += [_how_long(int(amount[:9]), unit.lower()) for amount, unit in _DURATION.findall(text)]
    if any(int(times[:9]) >= _MANY_TIMES for times in _REPEATED.findall(text)):
        found.append("repeatedmany")
    return found


def _how_long(amount: int, unit: str) -> str:
    """Return one of three words for a duration: people feel a second, and give up after ten."""
    kind = "min" if unit.startswith("min") else unit[0]
    long_ms = amount * _UNIT_MS[kind]
    if long_ms >= _VERY_LONG_DURATION_MS:
        return "durationverylong"
    return "durationlong" if long_ms >= _LONG_DURATION_MS else "durationshort"
