"""Whether a command that a model wrote may be shown, and as what.

Comes in: the model's command, the passages it was offered, the typed facts, the evidence.
Goes out: a Command judged as it is shown, or the reason why it was left out.
Promise: pure; a runbook's command keeps the runbook's words and the system's facts, whatever the
model put there; nothing that stands only in the evidence enters a command; what changes state
without a runbook behind it is left out; what destroys is blocked and shown as blocked.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.logic.answers.evidence import EvidenceText, words_in
from agents.logic.answers.text import links_of
from agents.logic.plans.runbooks import SLOT_PATTERN, SLOTS
from agents.logic.plans.steps import render_command
from agents.logic.prompting.characters import visible
from agents.logic.prompting.passages import Passage
from schemas.remediation import Command, CommandVerdict

MAX_COMMAND = 400
_SHOWN_SLOT = re.compile(r"<(" + "|".join(SLOTS) + r")>")
ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[a-z0-9-]+(?:\.[a-z0-9-]+)+\b|[^@\s]+@[^@\s]+", re.I)
_LONG_WORD = 40
_SHORT_OPTION = re.compile(r"-[A-Za-z0-9]{1,4}$")
_PLAIN_WORD = re.compile(r"[a-z][a-z-]{0,30}$|-{1,2}[a-z][a-z-]{0,30}$|-[A-Za-z0-9]{1,4}$")
"""Verbs, nouns of a program's own language, options: words that name nothing of a site."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command was left out; the reason quotes nothing of it."""

    reason: str


def review_command(
    text: str,
    passages: Sequence[Passage],
    facts: Mapping[str, str],
    evidence: EvidenceText,
) -> Command | Refusal | None:
    """Return the command to show, why none is shown, or None where the model wrote none."""
    if not text.strip():
        return None
    if len(text) > MAX_COMMAND or visible(text) != " ".join(text.split()):
        return Refusal("it is too long or holds characters that cannot be seen")
    written = _SHOWN_SLOT.sub(r"{\1}", text.strip().strip("`").strip())
    for passage in passages:
        if passage.command and _is_of(written, passage.command):
            return render_command(passage.command, facts)
    trusted = _trusted_words(passages, facts)
    refusal = _refusal(written, trusted, evidence)
    if refusal is not None:
        return refusal
    command = render_command(written, facts)
    if command.verdict is CommandVerdict.BLOCKED:
        return command
    named = {word for word in _arguments(written) if not _PLAIN_WORD.match(word)} - trusted
    if command.verdict is CommandVerdict.NEEDS_APPROVAL and not _arguments(written) <= trusted:
        return Refusal("it changes state and stands in no runbook passage that was offered")
    if named:
        return Refusal("it names something that no fact of the incident and no runbook names")
    return command


def _is_of(written: str, template: str) -> bool:
    """Tell whether a command is a passage's template, its slots open or filled with anything.

    What the model filled in is thrown away: the slots are filled again from typed facts.
    """
    shown = " ".join(written.split())
    lines = [" ".join(line.split()) for line in template.splitlines() if line.strip()]
    for joiner in (" ", "; "):
        pieces = SLOT_PATTERN.split(joiner.join(lines))[::2]
        pattern = r"(?:\{[a-z]+\}|[^\s;|&<>$`]{1,200})".join(re.escape(piece) for piece in pieces)
        if re.fullmatch(pattern, shown):
            return True
    return False


def _refusal(written: str, trusted: frozenset[str], evidence: EvidenceText) -> Refusal | None:
    if evidence.holds(SLOT_PATTERN.sub("", written)) and len(written.split()) > 1:
        return Refusal("it was copied from a log line")
    if not {link.lower() for link in links_of(written)} <= trusted:
        return Refusal("it holds a link that no runbook passage holds")
    arguments = _arguments(written)
    if any(len(word) > _LONG_WORD for word in arguments - trusted):
        return Refusal("it holds a word that is too long to be read")
    if any(ADDRESS.fullmatch(word) and word not in trusted for word in arguments):
        return Refusal("it names an address that is no fact of the incident")
    told = {word for word in arguments - trusted if word in evidence.words}
    if {word for word in told if not _SHORT_OPTION.match(word)}:
        return Refusal("an argument stands only in the log lines and is no fact of the incident")
    return None


def _arguments(written: str) -> frozenset[str]:
    """Return every word of a command but its slots and its first word, in lower case."""
    first, _, rest = SLOT_PATTERN.sub(" ", written).partition(" ")
    return words_in(rest) | (words_in(first) if ADDRESS.search(first) else frozenset())


def _trusted_words(passages: Sequence[Passage], facts: Mapping[str, str]) -> frozenset[str]:
    """Return the words that runbooks wrote, and the values of the typed facts."""
    commands = [SLOT_PATTERN.sub(" ", passage.command or "") for passage in passages]
    found = frozenset().union(*(words_in(command) for command in commands))
    links = frozenset(link.lower() for command in commands for link in links_of(command))
    return found | links | frozenset(value.lower() for value in facts.values())
