"""One candidate on trial: everybody is asked, the gate decides, a report is written.

Comes in: a dataset, the candidate, who serves now, a model server for what is no baseline. Goes
out: a decision and the main figures. Promise: all are asked the same questions of the same server;
raises ModelError where it cannot be asked: then nothing is decided.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from agents.logic.judging.classifier import Classifier, load_classifier
from streams.errors import InputError
from training.dataset.examples import Example, Split
from training.dataset.folder import read_split
from training.dataset.yardstick import read_yardstick
from training.figures import figures_of, flat
from training.gate import Decision, GateRules, decide
from training.judged import Entrant
from training.judging_run import Asking, ask_all, by_baseline
from training.report import write_report

BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class InService:
    """Who serves now: the baseline, or a model with or without an adapter."""

    name: str
    is_baseline: bool
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class TrialVerdict:
    """What came of a trial."""

    decision: Decision
    figures: dict[str, float]


Told = Callable[[str, int, int], None]


async def try_candidate(
    dataset: Path,
    candidate: Asking,
    in_service: InService,
    report_folder: Path,
    *,
    rules: GateRules | None = None,
    classifier: Classifier | None = None,
    told: Told | None = None,
) -> TrialVerdict:
    """Try `candidate` (its adapter named); `told` hears who is asked, how many of how many.

    The baseline is the dataset's yardstick, else `classifier`, else the committed one, which has
    seen what synthetic datasets test: beside it a candidate looks worse than it is.
    Raises InputError for a dataset without test split or canaries, ModelError, OSError.
    """
    if candidate.adapter is None:
        raise InputError("the candidate has no adapter: there is nothing to try")
    test, canary = read_split(dataset, Split.TEST), read_split(dataset, Split.CANARY)
    judge = read_yardstick(dataset) or classifier or load_classifier()
    baseline = Entrant(
        BASELINE, by_baseline(test, judge), by_baseline(canary, judge), is_baseline=True
    )
    tried = await _ask(candidate.adapter, candidate, test, canary, judge, told)
    serving = baseline
    if not in_service.is_baseline:
        asking = replace(candidate, adapter=in_service.adapter)
        serving = await _ask(in_service.name, asking, test, canary, judge, told)
    return _conclude(test, canary, (tried, serving, baseline), report_folder, rules)


def try_baseline(
    dataset: Path,
    candidate: tuple[str, Classifier],
    in_service: tuple[str, Classifier],
    report_folder: Path,
    *,
    rules: GateRules | None = None,
) -> TrialVerdict:
    """Try a baseline that was fitted anew against the one that serves, both given with their names.

    Both have learnt from the events that the synthetic test items are made of, so these show only
    what was unlearnt; what was gained shows on the corrections that were held back.
    Raises InputError for a dataset without test split or canaries.
    """
    test, canary = read_split(dataset, Split.TEST), read_split(dataset, Split.CANARY)

    def entrant(name: str, judge: Classifier) -> Entrant:
        said = by_baseline(test, judge), by_baseline(canary, judge)
        return Entrant(name, *said, is_baseline=True)

    committed = entrant(BASELINE, load_classifier())
    serving = committed if in_service[0] == BASELINE else entrant(*in_service)
    return _conclude(test, canary, (entrant(*candidate), serving, committed), report_folder, rules)


def _conclude(
    test: list[Example],
    canary: list[Example],
    entrants: tuple[Entrant, Entrant, Entrant],
    report_folder: Path,
    rules: GateRules | None,
) -> TrialVerdict:
    """Have the gate decide on candidate, who serves and the baseline, and write the report."""
    decision = decide(test, canary, *entrants, rules)
    named = dict(zip(("candidate", "in_service", "baseline"), entrants, strict=True))
    if named["in_service"] is named["baseline"]:
        del named["in_service"]
    measured = {name: figures_of(one, test, canary) for name, one in named.items()}
    write_report(report_folder, decision, list(measured.values()), len(test))
    flattened: dict[str, float] = {}
    for name, figures in measured.items():
        flattened |= flat(figures, name)
    return TrialVerdict(decision, flattened)


async def _ask(
    name: str,
    asking: Asking,
    test: list[Example],
    canary: list[Example],
    judge: Classifier,
    told: Told | None,
) -> Entrant:
    def hear(done: int, total: int) -> None:
        if told is not None:
            told(name, done, total)

    answers = await ask_all(asking, [*test, *canary], judge, hear)
    return Entrant(name, answers[: len(test)], answers[len(test) :])
