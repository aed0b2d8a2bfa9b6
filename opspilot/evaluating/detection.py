"""Measures whether windows of lines are told to be incidents, beside always saying yes.

Comes in: labelled windows. Goes out: figures. Promise: every window is judged without any history.
"""

from collections.abc import Sequence

from agents.logic.inspection import Inspector
from opspilot.evaluating.figures import Figures, number
from training.evaluation.detection import Bag, detection_report


def detection_figures(bags: Sequence[Bag], inspector: Inspector) -> list[Figures]:
    """Judge all windows."""
    said = [inspector.inspect(bag.service, bag.lines).is_incident for bag in bags]
    expected = [bag.is_incident for bag in bags]
    judged = detection_report(expected, said)
    constant = detection_report(expected, [True] * len(bags))
    rows = [
        ("found", str(judged.found), str(constant.found)),
        ("false alarms", str(judged.false_alarms), str(constant.false_alarms)),
        *(
            (name, number(getattr(judged, name)), number(getattr(constant, name)))
            for name in ("precision", "recall", "f1")
        ),
    ]
    title = f"{judged.bags} windows, {judged.incidents} incidents"
    return [Figures(title, ("", "opspilot", "always an incident"), tuple(rows))]
