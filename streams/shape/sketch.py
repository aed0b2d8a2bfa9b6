"""Read headers once per layout instead of once per line.

Comes in: a key as text, split at spaces. Goes out: its header. The first words are reduced to a
sketch, in which only what tells a header from content is left (`main` and `worker` are both `qq`,
`INFO` stays); `read_header` runs on the sketch, and its answer is remembered. So a header is a
function of the sketch, and the sketch of the line: caches change the speed and nothing else.
"""

import re
from typing import NamedTuple

from schemas.vocabulary import Level
from streams.shape.header import read_header
from streams.shape.levels import LEVEL_WORDS
from streams.shape.stamps import StampFormat

_FIRST_READ = 8
_WORDS_READ = 12
_WORDS_READ_PADDED = 44
_PADDING = 2
"""More empty words than this among the first are padding between a header's columns."""
_REMEMBERED_LENGTH = 128
_WORD = re.compile(r"[A-Za-z_$]+")
_ZEROS = re.compile(r"0+")
_ADDRESS = re.compile(r"0{1,3}(?:\.0{1,3}){3}")
_REDUCED = re.compile(r"q|Q|^\W?000\W*$|x0|^0\.0$|0\.0\.0\.0")
_IDENTIFIER = re.compile(r"[qQ0_.$-]*[qQ][qQ0_.$-]*0[qQ0_.$-]*|0[qQ0_.$-]*[qQ][qQ0_.$-]*")
_REPEATED = re.compile(r"((?:[/._-]|::)(?:qq|Qq|QQ|q))\1{3,}")
_HEX_WORD = re.compile(r"[\[(<@]?0x[0-9a-f]+[\])>,:;.]*|[0a-f-]*0[0a-f-]*[a-f][0a-f-]*")
_NUMBER = re.compile(r"([\[(-]?)(0+)(?:([.,]0+))?([\]),.:;]*)")
_BRACKETED_STAMP = re.compile(r"[\[(]0[0T:.,/+Z-]*s?[\])]")
_IDENTIFIER_LENGTH = 32
_PUNCTUATION = frozenset("[](){}<>:=|\"',")
_LETTERS_KEPT = frozenset("TZIWEFDVMXSCs")
_LEVELLESS = frozenset({None, StampFormat.BSD, StampFormat.MONTH_DAY_DOT})
_STAMP_LENGTHS = frozenset({1, 2, 4, 6, 8, 10, 13, 16, 19})
_KEPT = frozenset(
    {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}
    | {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "AM", "PM", "UTC", "GMT", "CET", "CEST"}
    | {"EET", "EEST", "WET", "WEST", "BST", "MSK", "EST", "EDT", "CST", "CDT", "MST", "MDT"}
    | {"PST", "PDT", "AKST", "AKDT", "IST", "JST", "KST", "SGT", "HKT", "AEST", "AEDT", "NZST"}
    | {"NZDT", "client", "instance", "last", "message"}
)
_SPELLINGS = (str.upper, str.lower, str.capitalize)
_LEVELS = frozenset(spell(word) for word in LEVEL_WORDS for spell in _SPELLINGS)


class Layout(NamedTuple):
    """A header, in words (as split at spaces) and bytes into them."""

    content_word: int
    content_offset: int
    level: Level | None
    stamp_format: StampFormat | None
    stamp_word: int
    stamp_offset: int
    stamp_end_word: int
    stamp_end_offset: int
    span: tuple[int, int] | None
    """The stamp's bytes, where every word up to its end stands in the sketch as it is."""
    settled: bool
    """Whether words further on could not change it."""


def sketch_word(word: str) -> str:
    """Reduce a word to what a header's reader looks at.

    Letters become `q`, `qq`, `Qq` or `QQ`, digits one, identifiers `qq0`; words that headers use
    and the digits of stamps stay.
    """
    if word.isalpha():
        return _sketch_run(word)
    if len(word) > _IDENTIFIER_LENGTH and "0" in word and _PUNCTUATION.isdisjoint(word.rstrip(",")):
        return "qq0qq"
    if len(word) > _REMEMBERED_LENGTH:
        word = word[:_REMEMBERED_LENGTH]
    if _HEX_WORD.fullmatch(word):
        return word[: word.index("x") + 1] + "0" if "x" in word else "q0"
    text = _WORD.sub(_sketch_letters, word)
    if "q" not in text and "Q" not in text:
        return _sketch_number(text)
    bracketed = _BRACKETED_STAMP.match(text)
    kept = bracketed.end() if bracketed is not None else 0
    rest = text[kept:]
    if "0" in rest:
        rest = _IDENTIFIER.sub("qq0", _ZEROS.sub("0", rest))
    if len(rest) > 9:
        rest = _REPEATED.sub(r"\1\1\1", rest)
    return text[:kept] + rest


def _sketch_number(text: str) -> str:
    """Reduce a word without letters of its own: keep the digits of stamps, no others."""
    text = _ADDRESS.sub("0.0.0.0", text)
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    opened, digits, fraction, end = found.groups()
    if fraction:
        kept = len(digits) == 10 or opened == "[" or end == "]" or fraction + end == ".000:"
        return text if kept or (len(digits) == 2 and len(fraction) == 3) else "0.0"
    return text if len(digits) in _STAMP_LENGTHS else f"{opened}000{end}"


def _sketch_letters(found: re.Match[str]) -> str:
    return _sketch_run(found.group())


def _sketch_run(letters: str) -> str:
    if len(letters) == 1:
        return letters if letters in _LETTERS_KEPT else "q"
    if letters in _KEPT or letters in _LEVELS:
        return letters
    if letters.endswith(("Exception", "Error")):
        return "Qq" + ("Exception" if letters.endswith("Exception") else "Error")
    if letters.isupper():
        return "QQ"
    return "Qq" if letters[0].isupper() else "qq"


def _holds(sketched: str, offset: int) -> bool:
    """Tell whether `offset` bytes into a sketched word is the same place in the word itself."""
    if offset <= 0 or not _REDUCED.search(sketched):
        return True
    bracketed = _BRACKETED_STAMP.match(sketched)
    if bracketed is not None and offset <= bracketed.end():
        return True
    before = sketched[:offset]
    return "0" not in before and "q" not in before and "Q" not in before


class _SketchedWords(dict[str, str]):
    """Words and their sketches; makes what is missing, and forgets all when it is full."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self._capacity = capacity

    def __missing__(self, word: str) -> str:
        sketched = sketch_word(word)
        if len(word) <= _REMEMBERED_LENGTH:
            if len(self) >= self._capacity:
                self.clear()
            self[word] = sketched
        return sketched


class HeaderReader:
    """Gives the layout of a line's header; bounded memory of words and of sketches."""

    def __init__(self, capacity: int = 20_000) -> None:
        self._capacity = capacity
        self._words = _SketchedWords(capacity)
        self._layouts: dict[str, Layout] = {}

    def layout(self, words: list[str]) -> Layout:
        """Return the layout of a line that was split at single spaces.

        Eight words decide where they can: a header that ends among the first six, with its
        level or without a stamp. Twelve (or more, where spaces pad them) decide otherwise.
        """
        first = words[:_FIRST_READ]
        if first.count("") > _PADDING:
            return self._sketched(words, words[:_WORDS_READ_PADDED])
        layout = self._sketched(words, first)
        if layout.settled:
            return layout
        first = words[:_WORDS_READ]
        if first.count("") > _PADDING:
            first = words[:_WORDS_READ_PADDED]
        return self._sketched(words, first)

    def _sketched(self, words: list[str], first: list[str]) -> Layout:
        known = self._words
        sketched = [known[word] for word in first]
        if len(first) < len(words):
            sketched.append("qq")
        sketch = " ".join(sketched)
        layout = self._layouts.get(sketch)
        if layout is None:
            layout = _read(sketched)
            if len(self._layouts) >= self._capacity:
                self._layouts.clear()
            self._layouts[sketch] = layout
        return layout


def _read(sketched: list[str]) -> Layout:
    """Read the header of a sketch and say where it ends in words.

    An offset into a word holds only for words that a sketch leaves as they are; a content that
    would begin inside another word begins with that word, and a stamp there is none.
    """
    header = read_header(" ".join(sketched))
    starts = [0]
    for text in sketched:
        starts.append(starts[-1] + len(text) + 1)
    word, offset = _place(header.content_start, starts)
    sketched = [*sketched, ""]
    if not _holds(sketched[word], offset):
        offset = 0
    if header.stamp is not None:
        first, before = _place(header.stamp.start, starts)
        last, behind = _place(header.stamp.end, starts)
        if _holds(sketched[first], before) and _holds(sketched[last], behind):
            stamp = header.stamp.format
            settled = _settled(sketched, word, header.level, stamp)
            plain = not any(map(_REDUCED.search, sketched[: last + (behind > 0)]))
            span = (header.stamp.start, header.stamp.end) if plain else None
            return Layout(
                word, offset, header.level, stamp, first, before, last, behind, span, settled
            )
    settled = header.stamp is None and _settled(sketched, word, header.level, None)
    return Layout(word, offset, header.level, None, 0, 0, 0, 0, None, settled)


def _settled(
    sketched: list[str], word: int, level: Level | None, stamp: StampFormat | None
) -> bool:
    """Tell whether a header that was read from eight words is the whole header."""
    if word >= _FIRST_READ - 1 or (level is None and stamp not in _LEVELLESS):
        return False
    rest = "".join(sketched[word:_FIRST_READ])
    return rest.rfind("[") <= rest.rfind("]")


def _place(position: int, starts: list[int]) -> tuple[int, int]:
    """Return the word that holds `position` and how far into it; the end of a word is the
    place -1 of the next.
    """
    for index in range(len(starts) - 1):
        if position < starts[index + 1] - 1:
            return index, position - starts[index]
        if position == starts[index + 1] - 1:
            return index + 1, -1
    return len(starts) - 1, 0
