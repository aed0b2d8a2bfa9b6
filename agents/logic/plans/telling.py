"""Which lines of an incident may fill the slots of its plan: those that tell of the problem.

Comes in: evidence, the runbook that was chosen. Goes out: the evidence that shows its symptoms.
Promise: pure; a line beside the problem, which anyone may have caused to be written, gives no host,
path or unit to a command, however often it comes.
"""

from collections.abc import Sequence

from agents.logic.plans.retrieval import tokens
from agents.logic.plans.runbooks import Runbook
from schemas.finding import ShapeEvidence

TELLING_SHARE = 0.6
"""From this share of what the best line shows on, a line tells of the same problem."""


def telling_evidence(
    evidence: Sequence[ShapeEvidence], runbook: Runbook
) -> tuple[ShapeEvidence, ...]:
    """Return the shapes that show the runbook's symptoms about as well as the best one, best first.

    Where none shows any, the first of them stands for the incident.
    """
    symptoms = [words for text in runbook.symptoms if (words := frozenset(tokens(text)))]
    spoken = frozenset().union(frozenset(tokens(runbook.title)), *symptoms)
    shown = [_shown(shape, symptoms, spoken) for shape in evidence]
    best = max(shown, default=0.0)
    if best <= 0.0:
        return tuple(evidence[:1])
    pairs = sorted(zip(shown, range(len(shown)), strict=True), key=lambda pair: (-pair[0], pair[1]))
    return tuple(evidence[place] for share, place in pairs if share >= TELLING_SHARE * best)


def _shown(
    shape: ShapeEvidence, symptoms: Sequence[frozenset[str]], spoken: frozenset[str]
) -> float:
    """Return how well a symptom and the shape's own words cover each other (harmonic mean).

    A line that only quotes the words of a symptom has many others of its own.
    """
    words = frozenset(tokens(shape.shape))
    told = max((len(symptom & words) / len(symptom) for symptom in symptoms), default=0.0)
    if not told:
        return 0.0
    own = len(spoken & words) / len(words)
    return 2 * told * own / (told + own)
