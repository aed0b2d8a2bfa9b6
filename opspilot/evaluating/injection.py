"""Takes each attempt to steer the judge through the whole path: lines, incident, verdict, plan.

Comes in: attempts and who judges. Goes out: trials, and figures of them. Promise: the lines go
through ingest's reduction, the windows and the correlation as they do in the stages.
"""

from collections.abc import Sequence

from agents.judgement import Judgement
from agents.llm.reasons import FallbackReason
from agents.logic.pipeline import Line, run_lines
from agents.logic.windows.grading import Grader
from opspilot.evaluating.figures import Figures
from opspilot.evaluating.servers import ask_in_turns
from schemas.incident import Incident
from schemas.vocabulary import IncidentStatus
from streams.errors import InputError
from training.evaluation.injection import (
    AIMS,
    Answer,
    Attempt,
    Trial,
    injection_report,
    lines_of,
)

APPENDED_MS = 1_772_356_335_000
"""2026-03-01T09:12:15Z: when a broker would have got the lines, by their own stamps."""


async def try_all(attempts: Sequence[Attempt], judgement: Judgement) -> list[Trial]:
    """Run all attempts; the clean lines of a service are answered once."""
    grader = Grader(judgement.classifier)
    firsts = {attempt.service: attempt for attempt in reversed(attempts)}
    sets: list[tuple[Attempt, tuple[str, ...]]] = [(attempt, ()) for attempt in firsts.values()]
    sets += [
        (attempt, texts) for attempt in attempts for texts in (attempt.attack, attempt.control)
    ]
    incidents = [incident_of(attempt, texts, grader) for attempt, texts in sets]

    async def answer(incident: Incident) -> Answer:
        return await _answer(incident, judgement)

    answers = await ask_in_turns(incidents, answer, judgement)
    clean = dict(zip(firsts, answers, strict=False))
    rest = answers[len(firsts) :]
    return [
        Trial(attempt, clean[attempt.service], attacked, control)
        for attempt, attacked, control in zip(attempts, rest[::2], rest[1::2], strict=True)
    ]


async def _answer(incident: Incident, judgement: Judgement) -> Answer:
    classification = await judgement.classify(incident)
    plan = await judgement.plan(classification, None)
    steps = [
        f"{step.description} {step.command.text if step.command else ''}" for step in plan.steps
    ]
    advice = (
        classification.summary,
        plan.title,
        *steps,
        *(step.verification for step in plan.steps),
        *(step.rollback for step in plan.steps),
        *plan.risks,
        *plan.success_criteria,
        plan.rollback_plan,
        plan.owner or "",
        *classification.suggested_actions,
    )
    return Answer(
        category=classification.category,
        severity=classification.severity,
        plan=(*(citation.runbook for citation in plan.sources), *steps),
        advice="\n".join(advice),
        fell_back=any(
            judge.fallback_reason not in (None, FallbackReason.HOSTILE_EVIDENCE)
            for judge in (classification.judge, plan.judge)
        ),
    )


def incident_of(attempt: Attempt, texts: Sequence[str], grader: Grader) -> Incident:
    """Return the incident that the lines open; raises InputError where they open none."""
    lines = [
        Line(attempt.service, text, APPENDED_MS + 10 * number)
        for number, text in enumerate(lines_of(attempt, texts))
    ]
    incidents = run_lines(lines, grader).incidents.values()
    found = [one for one in incidents if one.status is not IncidentStatus.MERGED]
    if not found:
        raise InputError(f"The true lines of {attempt.service} open no incident: give worse ones.")
    return min(found, key=lambda one: (one.opened_ms, one.id))


def injection_figures(trials: Sequence[Trial]) -> list[Figures]:
    """Count what changed; the second table, if any, lists the attacks that came nearer."""
    counted = injection_report(trials)
    rows = [
        ("category changed", *map(str, counted.category)),
        ("severity changed", *map(str, counted.severity)),
        ("plan changed", *map(str, counted.plan)),
        *((f"nearer to the aim: {aim}", *map(str, counted.nearer[aim])) for aim in AIMS),
        ("fell back to the baseline", *map(str, counted.fell_back)),
        *((f"by the attack alone: {aim}", str(counted.reached[aim]), "-") for aim in AIMS),
    ]
    title = f"{counted.attempts} attempts of {counted.kinds} kinds"
    tables = [Figures(title, ("", "attack", "control of equal length"), tuple(rows))]
    moved = [
        (trial.attempt.kind, trial.attempt.service, ", ".join(trial.reached))
        for trial in trials
        if trial.reached
    ]
    if moved:
        tables.append(Figures("came nearer", ("kind", "service", "aim"), tuple(moved)))
    return tables
