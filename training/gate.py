"""Whether a candidate may judge incidents: against what serves now, and against the baseline.

Comes in: what candidate, the one in service and the baseline said of the held-back test split and
of the canary set. Goes out: a Decision: each check with its sentence, passed only if all are.
Promise: pure; a difference that chance explains is no improvement; a set too small decides nothing.
Why these checks: docs/decisions/0011-learning.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from schemas.vocabulary import Category
from training.dataset.examples import Example
from training.evaluation.classification import calibration_interval, overconfidence
from training.judged import Entrant, Judged
from training.paired import Paired, pair

Word = Callable[[Judged], Category | None]
"""Which of a judge's categories counts."""
Right = Callable[[Judged, Example], bool]


@dataclass(frozen=True, slots=True)
class GateRules:
    """The bounds; shares lie between 0 and 1."""

    significance: float = 0.05
    """Largest probability at which a difference counts as real (one-sided)."""
    category_bound: float = 0.1
    """Largest share of one category's items that may be lost on balance."""
    least_category_loss: int = 3
    """Fewer items than this are no regression of a category, however small the category."""
    least_json: float = 0.97
    """Least share of answers that are JSON of the schema."""
    most_overconfidence: float = 0.12
    """Most by which served verdicts may claim more than they hold, at its interval's lower end."""
    most_slower: float = 2.0
    """Largest median latency, as a multiple of the model's in service."""
    least_items: int = 60
    """Fewer test items than this decide nothing."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question that the gate asks, and its answer for a person."""

    name: str
    passed: bool
    said: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate says of a candidate."""

    candidate: str
    in_service: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Tell whether the candidate may be released."""
        return all(check.passed for check in self.checks)

    @property
    def reason(self) -> str:
        """Return one sentence: why not, else what it gained."""
        refused = [check.said for check in self.checks if not check.passed]
        return "; ".join(refused) if refused else self.checks[0].said


def own_word(judged: Judged) -> Category | None:
    """Return the judge's own category; None for an answer that cannot be used."""
    return judged.category


def served_word(judged: Judged) -> Category:
    """Return the category that people would get."""
    return judged.served.category


def _names(word: Word) -> Right:
    """Return whether a judge names the right category by such a word."""
    return lambda judged, example: word(judged) is example.category


def decide(
    test: Sequence[Example],
    canary: Sequence[Example],
    candidate: Entrant,
    in_service: Entrant,
    baseline: Entrant,
    rules: GateRules | None = None,
) -> Decision:
    """Hold the candidate against the others; raises ValueError where answers are missing."""
    rules = rules or GateRules()
    for entrant in (candidate, in_service, baseline):
        _require_all(test, entrant.test, f"{entrant.name}, test split")
        _require_all(canary, entrant.canary, f"{entrant.name}, canary set")
    # Model against model by their own words; against the baseline by what people would get, since
    # a model is only ever served beside it.
    word = served_word if in_service.is_baseline else own_word
    checks = [
        _better(test, candidate, in_service, word, rules),
        *_not_worse(test, candidate, in_service, baseline, rules),
        *_categories(test, candidate, in_service, word, rules),
        _canaries(canary, candidate, in_service),
        _json(candidate, rules),
        _calibrated(test, candidate, rules),
    ]
    if not in_service.is_baseline:
        checks.append(_fast(candidate, in_service, rules))
    if len(test) < rules.least_items:
        said = f"{len(test)} test items; at least {rules.least_items} are needed to decide"
        checks.append(Check("items", False, said))
    return Decision(candidate.name, in_service.name, tuple(checks))


def _require_all(examples: Sequence[Example], judged: Sequence[Judged], where: str) -> None:
    if [example.id for example in examples] != [one.example for one in judged]:
        raise ValueError(f"{where}: the answers are not those to the examples, in their order")


def _compare(
    examples: Sequence[Example],
    one: Sequence[Judged],
    other: Sequence[Judged],
    right: Right,
) -> Paired:
    return pair(
        [right(judged, example) for judged, example in zip(one, examples, strict=True)],
        [right(judged, example) for judged, example in zip(other, examples, strict=True)],
    )


def _better(
    test: Sequence[Example], mine: Entrant, theirs: Entrant, word: Word, rules: GateRules
) -> Check:
    paired = _compare(test, mine.test, theirs.test, _names(word))
    passed = paired.better <= rules.significance
    told = "is better than" if passed else "is not shown to be better than"
    said = f"{mine.name} {told} {theirs.name} ({_said(paired)}, p={paired.better:.3g})"
    return Check("better", passed, said)


def _not_worse(
    test: Sequence[Example], mine: Entrant, theirs: Entrant, baseline: Entrant, rules: GateRules
) -> list[Check]:
    """Check the served category against both others, and the severity against who serves."""
    checks = []
    others = {"baseline": baseline} if theirs.is_baseline else {"served": theirs}
    for name, other in {**others, "baseline": baseline}.items():
        paired = _compare(test, mine.test, other.test, _names(served_word))
        checks.append(_worse(name, "served category", paired, mine, other, rules))
    graded = _compare(
        test, mine.test, theirs.test, lambda judged, item: judged.served.severity is item.severity
    )
    return [*checks, _worse("severity", "severity", graded, mine, theirs, rules)]


def _worse(
    name: str, what: str, paired: Paired, mine: Entrant, other: Entrant, rules: GateRules
) -> Check:
    passed = paired.worse > rules.significance
    told = "no worse than" if passed else "worse than"
    said = f"{what} of {mine.name} is {told} that of {other.name} ({_said(paired)})"
    return Check(f"{name} not worse", passed, said)


def _categories(
    test: Sequence[Example], mine: Entrant, theirs: Entrant, word: Word, rules: GateRules
) -> list[Check]:
    """Return a check per category that occurs: its losses on balance stay within the bound.

    A judge that names one category for everything loses none of its items, and knows nothing of it:
    what is lost there counts only if the category's F1 fell as well.
    """
    checks = []
    for category in Category:
        places = [place for place, item in enumerate(test) if item.category is category]
        if not places:
            continue
        paired = _compare(
            [test[place] for place in places],
            [mine.test[place] for place in places],
            [theirs.test[place] for place in places],
            _names(word),
        )
        balance = paired.lost - paired.gained
        lost = balance >= rules.least_category_loss
        before, now = (_f1(category, test, one.test, word) for one in (theirs, mine))
        fell = now < before
        passed = not (lost and fell and balance / len(places) > rules.category_bound)
        told = f"{category.value}: {_said(paired)} of {len(places)}, F1 {before:.2f} to {now:.2f}"
        if not passed:
            told += f", more than {rules.category_bound:.0%} lost on balance"
        checks.append(Check(f"category {category.value}", passed, told))
    return checks


def _f1(category: Category, test: Sequence[Example], said: Sequence[Judged], word: Word) -> float:
    """Return the harmonic mean of precision and recall; 0 where nothing is right."""
    named = [word(judged) is category for judged in said]
    true = [example.category is category for example in test]
    right = sum(one and other for one, other in zip(named, true, strict=True))
    return 2 * right / (sum(named) + sum(true)) if right else 0.0


def _canaries(canary: Sequence[Example], mine: Entrant, theirs: Entrant) -> Check:
    """Refuse a candidate with which people lose a plain case, or that knows fewer by itself."""
    served = _names(served_word)
    lost = [
        example.id
        for example, one, other in zip(canary, mine.canary, theirs.canary, strict=True)
        if served(other, example) and not served(one, example)
    ]
    right = served if theirs.is_baseline else _names(own_word)
    known = sum(map(right, mine.canary, canary))
    before = sum(map(right, theirs.canary, canary))
    said = f"canaries right: {known} of {len(canary)}, {before} by {theirs.name}"
    if lost:
        said += f"; lost: {', '.join(lost[:5])}{' ...' if len(lost) > 5 else ''}"
    return Check("canary", bool(canary) and not lost and known >= before, said)


def _json(mine: Entrant, rules: GateRules) -> Check:
    answers = [*mine.test, *mine.canary]
    share = sum(one.is_json for one in answers) / len(answers) if answers else 0.0
    said = f"{share:.1%} of the answers are JSON of the schema, {rules.least_json:.0%} are needed"
    return Check("JSON", share >= rules.least_json, said)


def _calibrated(test: Sequence[Example], mine: Entrant, rules: GateRules) -> Check:
    right = list(map(_names(served_word), mine.test, test))
    if not right:
        return Check("calibration", False, "calibration cannot be measured: there are no items")
    stated = [one.served.confidence for one in mine.test]
    low, high = calibration_interval(stated, right, measure=overconfidence)
    said = (
        f"served verdicts claim between {low:.3f} and {high:.3f} more than they hold, "
        f"the lower end may be {rules.most_overconfidence:g}"
    )
    return Check("calibration", low <= rules.most_overconfidence, said)


def _fast(mine: Entrant, theirs: Entrant, rules: GateRules) -> Check:
    if not mine.test:
        return Check("latency", False, "latency cannot be measured: there are no items")
    took = median(one.latency_ms for one in mine.test)
    before = median(one.latency_ms for one in theirs.test)
    said = f"median answer {took:.0f} ms, {before:.0f} ms by {theirs.name}"
    return Check("latency", took <= rules.most_slower * before or took == before, said)


def _said(paired: Paired) -> str:
    return f"{paired.gained} gained, {paired.lost} lost"
