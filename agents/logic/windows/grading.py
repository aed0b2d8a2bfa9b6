"""How suspicious one shape is by its wording, level and status, before anything is counted.

Comes in: text, level, HTTP status class, the service's name. Goes out: Grade. Promise: a function
of these alone, remembered for as many shapes as fit a bound; no list of products or messages.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass

from agents.logic.judging.classifier import Classifier, TextScore
from schemas.vocabulary import Level

MEMORY = 20_000
WORTH_KEEPING = 0.1
"""Below this, a shape's own text leaves no doubt that its lines are routine."""
OPENS_ALONE = 3.0
"""The weight at which one line is enough."""


DOUBT = 2.0
"""Log-odds that a line must overcome: most lines of most services report no problem."""
ROUTINE_LEVELS = (Level.INFO, Level.DEBUG)
ROUTINE_DOUBT = 1.0
"""More of it where the service's own logger calls a line routine."""
SURE_PROBLEM = 0.85
SEVERE = 1.6
"""Mean rank of severity, between medium and high, from which on one line is enough."""
SEVERE_PROBLEM = 0.9
ODDS_PER_WEIGHT = 2.0
MOST_WEIGHT = 1.2
_EDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Grade:
    """What one line of a shape says."""

    problem: float
    """Probability that it reports a problem, 0 to 1."""
    severity: float
    """Mean rank of its severities: 0 low, 1 medium, 2 high, 3 critical."""
    odds: float
    """Log-odds that one such line is part of an incident, its level left aside."""
    weight: float
    """What it adds to the suspicion that something is wrong; OPENS_ALONE is enough by itself."""


def grade_of(score: TextScore, level: Level | None, status_class: int | None) -> Grade:
    """Weigh wording, severity, level and HTTP status of one line."""
    severity = sum(s.rank * share for s, share in score.severity_probabilities.items())
    problem = score.problem
    routine = level is None or level in ROUTINE_LEVELS
    if status_class == 5:
        problem = max(problem, 0.95)
    elif status_class in (2, 3) and routine:
        problem = min(problem, 0.2)
    odds = _odds(problem, severity)
    return Grade(problem, severity, odds, _weight(odds, problem, severity, level))


def _odds(problem: float, severity: float) -> float:
    sure = min(max(problem, _EDGE), 1 - _EDGE)
    worse = min(severity, 2.0) - 1.0
    if worse > 0 and problem < SURE_PROBLEM:
        # How bad a line would be says nothing while it is doubtful that it is bad at all.
        worse = 0.0
    return math.log(sure / (1 - sure)) - DOUBT + worse


def _weight(odds: float, problem: float, severity: float, level: Level | None) -> float:
    if level in ROUTINE_LEVELS:
        return min(MOST_WEIGHT, max(0.0, (odds - ROUTINE_DOUBT) / ODDS_PER_WEIGHT))
    if problem >= SEVERE_PROBLEM and severity >= SEVERE:
        return OPENS_ALONE
    return min(MOST_WEIGHT, max(0.0, odds / ODDS_PER_WEIGHT))


class Grader:
    """Grades shapes with one classifier and remembers what it said."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._known: OrderedDict[tuple[str, str | None, int | None, str], Grade] = OrderedDict()

    def __call__(
        self, text: str, level: Level | None, status_class: int | None, service: str
    ) -> Grade:
        """Return the grade of a line or a shape's text."""
        key = (text, level, status_class, service)
        found = self._known.get(key)
        if found is None:
            name = service.rsplit("/", 1)[-1]
            found = grade_of(self._classifier.score(text, level, name), level, status_class)
            self._known[key] = found
            if len(self._known) > MEMORY:
                self._known.popitem(last=False)
        return found
