"""Group near-equal shapes into templates, as a function of the set of shapes.

Comes in: shapes (id, text in which typed values are `<*>`), in any order. Goes out: for each
shape its template. The same set gives the same templates whatever the order, the partitioning or
the number of restarts; nothing durable may refer to a template id (docs/decisions/0002).
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

WILDCARD = "<*>"

VALUES_AT_START = 16
"""Distinct words at the first position before it counts as a value: a line's subject."""
VALUES_OF_STATES = 8
"""The same for words that read as states or actions."""
VALUES_ELSEWHERE = 5
VALUES_BESIDE_ONE_WORD = 10
"""The same where only one constant word is left to hold the template together."""
FIELDS_OF_RECORD = 3
"""Words of the form `key=value,` from which on a line is a record: what differs are its values."""
_ANSWERS = frozenset({"true", "false", "null", "none", "nil"})
_ROUNDS = 4
_TOKEN_LIMIT = 64

_PARTS = re.compile(
    r"(?P<head>[A-Za-z_][\w.\-]*[=:](?=[^\s/:])|[(\[{\"']*)(?P<value>.*?)(?P<end>[)\]}\"']*[,;:.]*)$",
    re.DOTALL,
)
"""A word's key or opening brackets, its value, its closing brackets and punctuation."""

_CLOSING = ")]}\"'"
Tokens = tuple[str, ...]


class Template(NamedTuple):
    """A group of shapes: `template_id` is a hash of the text."""

    template_id: str
    text: str


class Grouping(Mapping[str, Template]):
    """Shape id to template; immutable."""

    def __init__(self, templates: Mapping[str, Template]) -> None:
        self._templates = dict(templates)

    def __getitem__(self, shape_id: str) -> Template:
        return self._templates[shape_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._templates)

    def __len__(self) -> int:
        return len(self._templates)

    def members(self) -> dict[Template, list[str]]:
        """Return each template with its shape ids, both sorted."""
        members: dict[Template, list[str]] = defaultdict(list)
        for shape_id in sorted(self._templates):
            members[self._templates[shape_id]].append(shape_id)
        return dict(sorted(members.items(), key=lambda item: item[0].text))


def group(shapes: Iterable[tuple[str, str]]) -> Grouping:
    """Return the templates of a set of (shape id, text).

    Shapes with the same number of words are merged where they agree but for one position that
    holds values (see `_is_value`), or but for positions whose words occur nowhere else; repeated
    until nothing changes. The idea of telling values by how many different words stand in one
    place of an otherwise equal line is that of Brain (Yu et al., IEEE TSC 2023) and of LFA
    (Nagappan and Vouk, MSR 2010); unlike these it weighs distinct shapes, never arrivals.
    """
    by_text: dict[str, list[str]] = defaultdict(list)
    for shape_id, text in shapes:
        by_text[text].append(shape_id)
    by_length: dict[int, set[Tokens]] = defaultdict(set)
    for text in by_text:
        tokens = tuple(text.split(" ", _TOKEN_LIMIT))
        by_length[len(tokens)].add(tokens)
    templates: dict[str, Template] = {}
    for bucket in by_length.values():
        merged = _merge_bucket(bucket)
        for tokens, pattern in merged.items():
            template = _template(pattern)
            for shape_id in by_text[" ".join(tokens)]:
                templates[shape_id] = template
    return Grouping(templates)


def _template(pattern: Tokens) -> Template:
    """Write a pattern as text; neighbouring values are one."""
    kept: list[str] = []
    for token in pattern:
        if token == WILDCARD and kept and kept[-1] == WILDCARD:
            continue
        kept.append(token)
    text = " ".join(kept)
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()
    return Template(digest, text)


def _merge_bucket(bucket: set[Tokens]) -> dict[Tokens, Tokens]:
    """Return the pattern of each token sequence; all have one length."""
    placed = {tokens: tokens for tokens in bucket}
    if len(bucket) < 2:
        return placed
    for _ in range(_ROUNDS):
        patterns = set(placed.values())
        step = _merge_named(patterns)
        step = _chain(step, _merge_singles(set(step.values())))
        step = _chain(step, _merge_rare(set(step.values())))
        if all(before == after for before, after in step.items()):
            break
        placed = {tokens: step[pattern] for tokens, pattern in placed.items()}
    return placed


def _chain(first: dict[Tokens, Tokens], then: dict[Tokens, Tokens]) -> dict[Tokens, Tokens]:
    return {before: then[after] for before, after in first.items()}


def _merge_named(patterns: set[Tokens]) -> dict[Tokens, Tokens]:
    """Merge the values of `key=value` words, of several keys at once."""
    families: dict[Tokens, list[Tokens]] = defaultdict(list)
    for pattern in patterns:
        if any("=" in word for word in pattern):
            families[tuple(_slot(w) if "=" in w else w for w in pattern)].append(pattern)
    current = {tokens: tokens for tokens in patterns}
    for skeleton, members in families.items():
        fields = sum("=" in slot and slot.endswith(",") for slot in skeleton)
        least = 2 if fields >= FIELDS_OF_RECORD else VALUES_ELSEWHERE
        varied = {
            position
            for position, slot in enumerate(skeleton)
            if "=" in slot
            and _is_named_value({member[position] for member in members}, slot, least)
        }
        for member in members if varied else ():
            current[member] = tuple(
                skeleton[position] if position in varied else word
                for position, word in enumerate(member)
            )
    return current


def _is_named_value(words: set[str], slot: str, least: int) -> bool:
    if len(words) < 2:
        return False
    return slot in words or len(words) >= least or all(WILDCARD in w for w in words)


def _merge_singles(patterns: set[Tokens]) -> dict[Tokens, Tokens]:
    """Merge patterns that are equal but for one position, one position after another."""
    current = {tokens: tokens for tokens in patterns}
    length = len(next(iter(patterns)))
    for position in reversed(range(length)):
        families: dict[Tokens, set[str]] = defaultdict(set)
        for pattern in set(current.values()):
            families[_without(pattern, position)].add(pattern[position])
        merged: dict[tuple[Tokens, str], str] = {}
        for rest, words in families.items():
            if len(words) > 1:
                for word, value in _merge_words(words, position, rest).items():
                    merged[rest, word] = value
        if not merged:
            continue
        for tokens, pattern in current.items():
            hidden = merged.get((_without(pattern, position), pattern[position]))
            if hidden is not None:
                current[tokens] = (*pattern[:position], hidden, *pattern[position + 1 :])
    return current


def _without(pattern: Tokens, position: int) -> Tokens:
    return pattern[:position] + pattern[position + 1 :]


def _merge_words(words: set[str], position: int, rest: Tokens) -> dict[str, str]:
    """Return, for the words of one position that are values of one thing, what replaces them."""
    families: dict[str, list[str]] = defaultdict(list)
    for word in words:
        families[_slot(word)].append(word)
    merged: dict[str, str] = {}
    for slot, members in families.items():
        if len(members) > 1 and _is_value(members, slot, position, rest):
            merged.update(dict.fromkeys(members, slot))
    return merged


def _slot(word: str) -> str:
    """Return what a word would be with its value hidden: `user=<*>`, `(<*>),` or `<*>`."""
    found = _PARTS.match(word)
    if found is None:
        return WILDCARD
    head, end = found.group("head", "end")
    # What closes behind a key was opened by the value, and goes with it.
    return f"{head}{WILDCARD}{end.lstrip(_CLOSING) if head.endswith(('=', ':')) else end}"


def _is_value(words: list[str], slot: str, position: int, rest: Tokens) -> bool:
    """Decide whether words that stand in one place of otherwise equal lines are values."""
    constants = sum(1 for token in rest if WILDCARD not in token and any(map(str.isalpha, token)))
    if constants == 0:
        return False
    plain = [word for word in words if WILDCARD not in word]
    typed = any(word.startswith(slot) for word in words)
    if typed and (position > 0 or constants > 1):
        return True
    if not plain or all(_bare(word).lower() in _ANSWERS for word in plain):
        return True
    if constants == 1:
        return len(words) >= VALUES_BESIDE_ONE_WORD
    if position == 0:
        return len(words) >= VALUES_AT_START
    if all(_reads_as_state(word) for word in plain):
        return len(words) >= VALUES_OF_STATES
    return len(words) >= VALUES_ELSEWHERE


def _bare(word: str) -> str:
    return word.rpartition("=")[2].strip("()[]{}\"',;:.")


def _reads_as_state(word: str) -> bool:
    """Tell words that mostly name a state or an action: capitals, a capital, `-ed`, `-ing`."""
    bare = _bare(word)
    return bare.isupper() or bare.istitle() or bare.endswith(("ed", "ing"))


def _merge_rare(patterns: set[Tokens]) -> dict[Tokens, Tokens]:
    """Merge patterns that agree once the words that occur in one pattern only are hidden."""
    replaced = {pattern: pattern for pattern in patterns}
    if len(patterns) < VALUES_ELSEWHERE:
        return replaced
    uses = Counter(item for pattern in patterns for item in enumerate(pattern))
    families: dict[tuple[str | None, ...], list[Tokens]] = defaultdict(list)
    for pattern in patterns:
        head, rest = pattern[0], pattern[1:]
        shared = [item[1] if uses[item] > 1 else None for item in enumerate(rest, 1)]
        families[head, *shared].append(pattern)
    for shared_words, members in families.items():
        hidden = [position for position, word in enumerate(shared_words) if word is None]
        if len(members) < VALUES_ELSEWHERE or len(hidden) * 2 > len(shared_words):
            continue
        skeleton = list(members[0])
        values = {position: sorted({member[position] for member in members}) for position in hidden}
        for position in hidden:
            slots = set(map(_slot, values[position]))
            skeleton[position] = slots.pop() if len(slots) == 1 else WILDCARD
        pattern = tuple(skeleton)
        if all(_is_value(values[at], skeleton[at], at, pattern) for at in hidden):
            replaced.update(dict.fromkeys(members, pattern))
    return replaced
