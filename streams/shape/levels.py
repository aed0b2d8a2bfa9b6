"""The words by which log lines state their level.

Comes in: a word as it stands in a line. Goes out: a `Level`, or nothing when it is no level word.
"""

from schemas.vocabulary import Level

_WORDS = {
    Level.FATAL: "fatal panic emerg emergency alert crit critical dpanic",
    Level.ERROR: "error err severe failure eror fail",
    Level.WARN: "warn warning wrn wrning",
    Level.INFO: "info information informational inf notice note log statement hint detail context",
    Level.DEBUG: "debug dbg trace trc verbose fine finer finest debug0",
}
LEVEL_WORDS: dict[str, Level] = {
    word: level for level, words in _WORDS.items() for word in words.split()
}
"""Lower-case word to level; syslog, java.util.logging, PostgreSQL and common loggers."""

LETTERS: dict[str, Level] = {
    "F": Level.FATAL,
    "E": Level.ERROR,
    "W": Level.WARN,
    "I": Level.INFO,
    "D": Level.DEBUG,
    "V": Level.DEBUG,
}
"""The single letters of klog, glog and Android."""

MARKS: dict[str, Level] = {
    "#": Level.WARN,
    "*": Level.INFO,
    "-": Level.DEBUG,
    ".": Level.DEBUG,
}
"""The marks of Redis."""

_AMBIGUOUS = frozenset({"statement", "hint", "detail", "context", "failure", "fail", "note"})


def level_of(word: str) -> Level | None:
    """Return the level that `word` states, in any case, or None."""
    return LEVEL_WORDS.get(word.lower())


def alternatives(*, upper: bool) -> str:
    """Return the level words as a regular-expression alternation, longest first.

    `upper` gives the upper-case words; otherwise the lower-case ones that are not also plain
    English words at the start of a message.
    """
    words = sorted(LEVEL_WORDS, key=lambda word: (-len(word), word))
    if upper:
        return "|".join(word.upper() for word in words)
    return "|".join(word for word in words if word not in _AMBIGUOUS)
