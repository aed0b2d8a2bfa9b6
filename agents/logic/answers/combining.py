"""One verdict from what a model said and what the baseline says of the same incident.

Comes in: a cleaned answer, the baseline's verdict, the incident. Goes out: Combined.
Promise: pure; a model moves severity by at most one step, never away from critical, and down only
where it names the same category; what was overruled is said in `notes` and in the summary. Where
evidence speaks to a model, none is to be asked: see `suspicion`.
"""

from dataclasses import dataclass, replace

from agents.logic.answers.calibration import Calibration
from agents.logic.answers.classification import ClassifyAnswer
from agents.logic.judging.severity import priority_of
from agents.logic.judging.verdict import Verdict
from agents.logic.prompting.characters import cut
from schemas.incident import Incident
from schemas.vocabulary import Severity

_MAX_SUMMARY = 512
DEFAULT = Calibration()
OTHER_SUBCATEGORY = "other"
"""Where the model's category wins: the baseline's subcategory belongs to another category."""


@dataclass(frozen=True, slots=True)
class Combined:
    """The verdict, the model's actions where they may be shown, and what was overruled and why."""

    verdict: Verdict
    suggested_actions: tuple[str, ...]
    notes: tuple[str, ...]
    agrees: bool
    """Whether model and baseline name the same category."""


def combine(
    answer: ClassifyAnswer,
    baseline: Verdict,
    incident: Incident,
    calibration: Calibration = DEFAULT,
) -> Combined:
    """Cross-check a model's answer with the baseline's verdict on the same revision."""
    agrees = answer.category is baseline.category
    steps = answer.severity.rank - baseline.severity.rank
    category, confidence, model_won = baseline.category, 0.0, False
    if agrees:
        confidence = calibration.agreed.at(baseline.confidence, steps)
    else:
        confidence = calibration.baseline.at(baseline.confidence, steps)
        of_model = calibration.model.at(baseline.confidence, steps)
        if of_model > confidence:
            category, confidence, model_won = answer.category, of_model, True
    abstained = confidence < calibration.abstain_below
    severity, notes = _severity(answer, baseline, calibration, sure=agrees and not abstained)
    if not agrees:
        other = baseline.category if model_won else answer.category
        who = "the baseline" if model_won else "the model"
        notes = (f"{who} would say {other.value}", *notes)
    shows_model = agrees or model_won
    said = answer.summary if shows_model else baseline.summary
    verdict = replace(
        baseline,
        category=category,
        subcategory=OTHER_SUBCATEGORY if model_won else baseline.subcategory,
        severity=severity,
        priority=priority_of(severity, services=len(incident.services), count=incident.count),
        confidence=round(min(1.0, max(0.0, confidence)), 4),
        abstained=abstained,
        summary=_with_notes(said, notes),
        rests_on=frozenset() if model_won else baseline.rests_on,
    )
    actions = answer.suggested_actions if shows_model else ()
    return Combined(verdict, actions, notes, agrees=agrees)


def set_aside(baseline: Verdict) -> Verdict:
    """Return the baseline's verdict with a word on why no model was asked."""
    notes = ("lines of the evidence speak to a language model, so none was asked",)
    return replace(baseline, summary=_with_notes(baseline.summary, notes))


def _severity(
    answer: ClassifyAnswer, baseline: Verdict, calibration: Calibration, *, sure: bool
) -> tuple[Severity, tuple[str, ...]]:
    """Return the severity to use, at most one step from the baseline's, and what was overruled."""
    steps = answer.severity.rank - baseline.severity.rank
    if steps == 0:
        return baseline.severity, ()
    if steps > 0:
        moves = calibration.follows_up
    else:
        # A line can be written to make an incident look small; to miss one costs more than to look.
        moves = calibration.follows_down and sure and baseline.severity is not Severity.CRITICAL
    rank = baseline.severity.rank + ((1 if steps > 0 else -1) if moves else 0)
    severity = next(choice for choice in Severity if choice.rank == rank)
    if severity is answer.severity:
        return severity, ()
    return severity, (f"the model says {answer.severity.value}, held to {severity.value}",)


def _with_notes(summary: str, notes: tuple[str, ...]) -> str:
    """Append what was overruled; the summary gives way, never the note."""
    if not notes:
        return cut(summary, _MAX_SUMMARY)
    said = f" ({'; '.join(notes)})"
    return cut(summary, _MAX_SUMMARY - len(said)) + said
