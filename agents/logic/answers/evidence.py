"""What a log line may have told a model: the words, commands and links of an incident's evidence.

Comes in: an incident or a classification. Goes out: EvidenceText, for comparing answers with it.
Promise: pure; also what is hidden one layer deep (base64, hexadecimal, percent-encoding) counts as
said, since a model can decode it, and so does a sentence written as one name; all is bounded.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from agents.logic.answers.text import links_of
from agents.logic.prompting.characters import visible
from schemas.classification import Classification
from schemas.incident import Incident, LogAnalysis

MAX_TEXTS = 120
_MAX_CHARACTERS = 4_000
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,2000}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){8,1000}")
_HUMPS = re.compile(r"(?:[A-Z][a-z]+){4}|[a-z]+(?:[-_][a-z]+){3}", re.ASCII)
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|[-_]", re.ASCII)
"""Names of four words and more: a sentence can be written as the name of an exception."""
_WORD = re.compile(r"[^\s\"'`,;()\[\]{}<>|&=]+")
"""Between these signs stand the arguments that a command could take over."""


@dataclass(frozen=True, slots=True)
class EvidenceText:
    """Texts as they stand on one line, their words in lower case, their links."""

    texts: tuple[str, ...]
    words: frozenset[str]
    links: frozenset[str]

    def holds(self, text: str) -> bool:
        """Tell whether a whole text stands in the evidence, whatever the spaces and case."""
        wanted = " ".join(visible(text).lower().split())
        return bool(wanted) and any(wanted in known for known in self.texts)


def evidence_of(record: Incident | Classification) -> EvidenceText:
    """Gather all that log lines, shippers and reporters wrote about an incident."""
    if isinstance(record, Classification):
        brief = record.incident
        texts = [*_of_analysis(brief.analysis), brief.title, brief.description or "", *brief.ties]
        texts += [text for shape in record.evidence for text in (shape.shape, *shape.examples)]
    else:
        texts = [*_of_analysis(record.analysis), record.title, record.description or ""]
        texts += record.ties
    return evidence_text(texts)


def evidence_text(texts: Iterable[str]) -> EvidenceText:
    """Return the texts, and what they hide, for comparison."""
    found: dict[str, None] = {}
    for text in texts:
        if len(found) >= MAX_TEXTS:
            break
        shown = visible(text[:_MAX_CHARACTERS])
        for layer in (shown, *_hidden(shown)):
            if layer:
                found[layer] = None
    lower = tuple(" ".join(text.lower().split()) for text in found)
    words = frozenset(part for text in lower for part in words_in(text))
    return EvidenceText(lower, words, frozenset().union(*map(links_of, found)))


def words_in(text: str) -> frozenset[str]:
    """Return the words of a text in lower case, without punctuation at their ends."""
    bare = (match.group().strip(".:!?\\") for match in _WORD.finditer(text.lower()))
    return frozenset(word for word in bare if word)


def _of_analysis(analysis: LogAnalysis) -> Iterator[str]:
    for shape in analysis.evidence:
        yield from shape.examples
        yield shape.shape
    for anomaly in analysis.anomalies:
        yield anomaly.statement
    for pattern in analysis.patterns:
        yield pattern.template


def _hidden(text: str) -> Iterator[str]:
    """Yield what is readable when runs of encoded text are decoded, one layer deep."""
    if _HUMPS.search(text):
        yield _HUMP.sub(" ", text)
    plain = unquote(text, errors="replace")
    if plain != text:
        yield visible(plain)
    for match in _BASE64.finditer(text):
        run = match.group().rstrip("=").replace("-", "+").replace("_", "/")
        try:
            decoded = base64.b64decode(run + "=" * (-len(run) % 4))
        except (binascii.Error, ValueError):
            continue
        yield _readable(decoded)
    for match in _HEX.finditer(text):
        yield _readable(bytes.fromhex(match.group()))


def _readable(decoded: bytes) -> str:
    """Return decoded bytes where they are text, else nothing."""
    try:
        text = decoded.decode()
    except UnicodeDecodeError:
        return ""
    shown = visible(text)
    return shown if len(shown) >= 0.8 * len(text) else ""
