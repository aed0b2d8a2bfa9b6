"""The baseline's verdict on an incident record.

Comes in: an Incident and the classifier. Goes out: a Verdict. Promise: pure; the incident's lines
decide, else what a person wrote, else what the windows saw.
"""

from collections.abc import Sequence

from agents.logic.answers.suspicion import speaks
from agents.logic.judging.classifier import Classifier
from agents.logic.judging.verdict import Evidence, Verdict, judge
from schemas.incident import Incident
from schemas.vocabulary import FindingKind

SHARPNESS = (
    FindingKind.NEW_TEMPLATE,
    FindingKind.BURST,
    FindingKind.ERROR_RATIO,
    FindingKind.RARE_SEVERE,
)
"""Kinds of finding that speak of lines which came, the mildest first."""


def judge_incident(incident: Incident, classifier: Classifier) -> Verdict:
    """Judge one incident by its evidence, or by what was said of it where no line speaks."""
    evidence = [
        Evidence(
            text=shape.text,
            level=shape.level,
            count=max(1, shape.count),
            # By its own findings: a line beside the problem makes the problem no sharper.
            kind=leading_kind(shape.kinds or incident.kinds),
            aside=speaks(shape.text),
        )
        for shape in incident.analysis.evidence
    ]
    if incident.description:
        evidence.append(Evidence(text=incident.description, level=None))
    if not evidence:
        evidence = [
            Evidence(text=a.statement, level=None, count=max(1, a.count), kind=a.kind)
            for a in incident.analysis.anomalies
        ]
    return judge(incident.service, evidence, classifier, services=len(incident.services))


def leading_kind(kinds: Sequence[FindingKind]) -> FindingKind | None:
    """Return the kind that says most of how bad the lines are; none for silence among others.

    A further kind of finding, which any new line brings, takes nothing from the sharpest.
    """
    if len(kinds) == 1:
        return kinds[0]
    return max((kind for kind in kinds if kind in SHARPNESS), key=SHARPNESS.index, default=None)
