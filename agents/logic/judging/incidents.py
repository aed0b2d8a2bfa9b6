"""The baseline's verdict on an incident record.

Comes in: an Incident and the classifier. Goes out: a Verdict. Promise: pure; the incident's lines
decide, else what a person wrote, else what the windows saw.
"""

from agents.logic.judging.classifier import Classifier
from agents.logic.judging.verdict import Evidence, Verdict, judge
from schemas.incident import Incident


def judge_incident(incident: Incident, classifier: Classifier) -> Verdict:
    """Judge one incident by its evidence, or by what was said of it where no line speaks."""
    kind = incident.kinds[0] if len(incident.kinds) == 1 else None
    evidence = [
        Evidence(
            text=shape.examples[0] if shape.examples else shape.shape,
            level=shape.level,
            count=max(1, shape.count),
            kind=kind,
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
