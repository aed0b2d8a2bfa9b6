"""How suspicious one shape is by its wording, level and status, before anything is counted.

Comes in: text, level, HTTP status class, the service's name. Goes out: Grade. Promise: a function
of these alone, remembered for as many shapes as fit a bound; no list of products or messages.
"""

from collections import OrderedDict
from dataclasses import dataclass

from agents.logic.classifier import Classifier, TextScore
from schemas.vocabulary import Level

MEMORY = 20_000
WORTH_KEEPING = 0.1
"""Below this, a shape's own text leaves no doubt that its lines are routine."""
OPENS_ALONE = 3.0
"""The weight at which one line is enough."""


@dataclass(frozen=True, slots=True)
class Grade:
    """What one line of a shape says."""

    problem: float
    """Probability that it reports a problem, 0 to 1."""
    severity: float
    """Mean rank of its severities: 0 low, 1 medium, 2 high, 3 critical."""
    weight: float
    """What it adds to the suspicion that something is wrong; OPENS_ALONE is enough by itself."""


def grade_of(score: TextScore, level: Level | None, status_class: int | None) -> Grade:
    """Weigh wording, severity and level of one line."""
    severity = sum(s.rank * share for s, share in score.severity_probabilities.items())
    problem = score.problem
    if status_class == 5:
        problem = max(problem, 0.8)
    elif status_class in (2, 3) and level in (None, Level.INFO, Level.DEBUG):
        problem = min(problem, 0.2)
    return Grade(problem, severity, _weight(problem, severity, level))


def _weight(problem: float, severity: float, level: Level | None) -> float:
    if problem < 0.5:
        return 0.0
    if (severity >= 1.6 and problem >= 0.7) or (level is Level.FATAL and severity >= 1.0):
        return OPENS_ALONE
    if severity < 0.6:
        return 0.2
    return 1.0


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
