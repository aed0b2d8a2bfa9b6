"""One verdict from the evidence of an incident, without a model server.

Comes in: the service, lines with level, count and kind of finding, and the classifier.
Goes out: category, subcategory, severity, priority, confidence, whether it abstains, a summary.
Promise: pure; the order of the evidence changes nothing; a repeated line does not drown the rest.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.logic.judging.classifier import Classifier, TextScore
from agents.logic.judging.severity import Graded, priority_of, severity_distribution, severity_of
from agents.logic.judging.summary import summarise
from agents.logic.judging.thrown import without_quotes
from agents.logic.judging.words import words_of
from schemas.vocabulary import Category, FindingKind, Level, Priority, Severity
from streams.shape.shaper import Shaper

ABSTAIN_BELOW = 0.4
"""A verdict less sure than this is one of two guesses: a person should read it."""
MAX_PIECES = 64
"""Distinct lines judged; more add nothing, and the cost stays bounded."""
_FLOOR = 0.02
"""Least say of a line: where no line looks bad, the least unlikely ones still decide."""
_STANDS_FOR = 0.5
"""From this share of the leading line's say on, a line stands for the verdict as well."""
_FRAME_WEIGHT = 0.05
"""A stack frame names the code that was passed through, not what went wrong."""
_REPEATS_CAP = 8
_SHARPENING = 0.15
"""How much each doubling of independent agreeing lines sharpens the distribution."""
_MOST_SHARP = 1.5
_KIND_WEIGHT = 1.0
_KIND_ODDS: dict[FindingKind, dict[Category, float]] = {
    FindingKind.LATENCY: {Category.PERFORMANCE: 2.0},
    FindingKind.SILENCE: {Category.APPLICATION: 1.0},
    FindingKind.DROP: {Category.APPLICATION: 0.5},
}
"""What a kind of finding says by itself, in log-odds."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One line of an incident; `count` is how often it occurred.

    `aside` marks text that was written for whoever reads it: it weighs as little as a stack frame.
    """

    text: str
    level: Level | None
    count: int = 1
    kind: FindingKind | None = None
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of an incident; `confidence` and `problem` lie between 0 and 1."""

    category: Category
    subcategory: str
    severity: Severity
    priority: Priority
    confidence: float
    abstained: bool
    summary: str
    problem: float
    rests_on: frozenset[tuple[str, ...]] = frozenset()
    """The words of the lines that stand for the verdict; empty where it is not known."""


@dataclass(frozen=True, slots=True)
class _Piece:
    evidence: Evidence
    score: TextScore
    weight: float


def judge(
    service: str, evidence: Sequence[Evidence], classifier: Classifier, *, services: int = 1
) -> Verdict:
    """Return the verdict on an incident of `service` that touches `services` services in all.

    Raises ValueError when there is no evidence to judge.
    """
    if not evidence:
        raise ValueError(f"no evidence to judge for service {service!r}")
    shaper = Shaper()
    pieces = [_piece(service, item, classifier, shaper) for item in _distinct(evidence)]
    shares = _category_shares(pieces)
    category = max(Category, key=shares.__getitem__)
    leading = max(pieces, key=lambda piece: _lead(piece, category))
    # A line of another kind says how bad something else is: whoever can write lines beside those
    # of an incident must not be able to talk it up or down.
    least = _STANDS_FOR * _lead(leading, category)[0]
    standing = [
        piece
        for piece in pieces
        if piece is leading
        or (piece.score.category is category and _lead(piece, category)[0] >= least)
    ]
    grades = severity_distribution(
        [_graded(piece, category) for piece in standing],
        leading=_graded(leading, category),
        services=services,
    )
    severity = severity_of(grades)
    count = sum(item.count for item in evidence)
    subcategory = _subcategory(pieces, category, leading)
    # Of the lines that stand for the verdict, people see the one that came most often.
    shown = max(standing, key=lambda piece: (piece.evidence.count, *_lead(piece, category)))
    return Verdict(
        category=category,
        subcategory=subcategory,
        severity=severity,
        priority=priority_of(severity, services=services, count=count),
        confidence=round(shares[category], 4),
        abstained=shares[category] < ABSTAIN_BELOW,
        summary=summarise(
            service,
            category,
            subcategory,
            text=shown.evidence.text,
            count=shown.evidence.count,
            kind=shown.evidence.kind,
            other_kinds=len(pieces) - 1,
            services=services,
        ),
        problem=round(max(piece.score.problem for piece in pieces), 4),
        rests_on=frozenset(tuple(words_of(piece.evidence.text)) for piece in standing),
    )


def _graded(piece: _Piece, category: Category) -> Graded:
    return Graded(
        _lead(piece, category)[0],
        piece.score.problem,
        piece.score.severity_probabilities,
        piece.evidence.count,
        piece.evidence.kind,
    )


def _distinct(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Return one piece per wording, counts added up, in an order that the content decides."""
    found: dict[tuple[str, ...], Evidence] = {}
    for item in sorted(evidence, key=lambda item: (item.text, item.kind or "", item.count)):
        key = (*words_of(item.text), item.kind or "")
        known = found.get(key)
        found[key] = item if known is None else replace(known, count=known.count + item.count)
    most_first = sorted(found.values(), key=lambda item: -item.count)
    return most_first[:MAX_PIECES]


def _piece(service: str, item: Evidence, classifier: Classifier, shaper: Shaper) -> _Piece:
    shape = shaper.line(item.text.encode())
    level = item.level if item.level is not None else shape.level
    score = _score(item.text, level, service, classifier)
    repeats = 1 + math.log2(min(item.count, 2**_REPEATS_CAP)) / _REPEATS_CAP
    weight = max(score.problem**2, _FLOOR) * repeats
    says_little = shape.is_continuation or item.aside
    return _Piece(item, score, weight * _FRAME_WEIGHT if says_little else weight)


def _score(text: str, level: Level | None, service: str, classifier: Classifier) -> TextScore:
    """Score a line; what an exception quotes of its input makes it no graver."""
    score = classifier.score(text, level, service)
    unquoted = without_quotes(text)
    if unquoted != text:
        bare = classifier.score(unquoted, level, service)
        if bare.mean_rank < score.mean_rank:
            return replace(score, severity_probabilities=bare.severity_probabilities)
    return score


def _category_shares(pieces: Sequence[_Piece]) -> dict[Category, float]:
    """Combine the pieces' log-probabilities, weighted; many that agree sharpen it a little."""
    total = sum(piece.weight for piece in pieces)
    logs = {
        category: sum(
            piece.weight * math.log(max(piece.score.category_probabilities[category], 1e-6))
            for piece in pieces
        )
        / total
        for category in Category
    }
    effective = total**2 / sum(piece.weight**2 for piece in pieces)
    sharpness = min(1 + _SHARPENING * math.log2(effective), _MOST_SHARP)
    for piece in pieces:
        for category, odds in (
            _KIND_ODDS.get(piece.evidence.kind, {}).items() if (piece.evidence.kind) else ()
        ):
            logs[category] += _KIND_WEIGHT * odds * piece.weight / total
    top = max(logs.values())
    raised = {category: math.exp(sharpness * (value - top)) for category, value in logs.items()}
    whole = sum(raised.values())
    return {category: value / whole for category, value in raised.items()}


def _lead(piece: _Piece, category: Category) -> tuple[float, str]:
    """Rank pieces by how well each one stands for the verdict: its kind, and the gravest of it."""
    share = piece.score.category_probabilities[category]
    return piece.weight * share * (1 + piece.score.mean_rank), piece.evidence.text


def _subcategory(pieces: Sequence[_Piece], category: Category, leading: _Piece) -> str:
    """Return the subcategory with most weight among the pieces of the verdict's category."""
    votes: dict[str, float] = {}
    for piece in pieces:
        if piece.score.category is category:
            name = piece.score.subcategory
            votes[name] = votes.get(name, 0.0) + piece.weight
    if not votes:
        return leading.score.subcategory
    return max(sorted(votes), key=votes.__getitem__)
