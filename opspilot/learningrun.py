"""`make learn`: the learning loop with a real small model, and what came of it, measured.

Comes in: how many examples to learn from and to test on. Goes out: a table of the model before and
after, beside the baseline, into docs/learning.md; exit status 0 where what was released gained 20
points, lost no canary, and judges. It runs a Kafka and all processes of its own.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from opspilot.evaluating.figures import Figures, show
from opspilot.evaluating.report import fill
from opspilot.learningworld import KEYS, World
from opspilot.local.broker import EmbeddedBroker
from opspilot.local.environment import LocalEnvironment
from opspilot.local.model.beside import judge_variables, running_model
from opspilot.local.runtime import find_runtime
from opspilot.local.supervisor import Supervisor
from opspilot.local.worker import WorkerSpec, WorkerState, stage_worker
from schemas.learning import RetrainingResult, TrainingState
from schemas.vocabulary import Category
from streams.admin import create_topics
from streams.clock import monotonic_ms
from streams.errors import OpsPilotError
from streams.settings import load_settings
from training.dataset.examples import Example, Split
from training.dataset.folder import read_split
from training.lora.card import read_card

PAGE = Path("docs/learning.md")
COMMAND = "make learn"
WANTED_GAIN = 0.2
JUDGED_PER_CATEGORY = 4
"""Incidents that people see: with three people more than the 50 words that drift wants."""
READY_SECONDS = 120.0
SLOTS = "4"
# One epoch of short questions: what a CPU of two cores learns in some minutes. Few answers are
# asked for at once, since the base model, which knows no end, takes seconds for each.
RECIPE = {
    "EPOCHS": "1",
    "BATCH": "4",
    "MAX_TOKENS": "560",
    "RECOMPUTE": "false",
    "QUANTIZE": "none",
}
_WHO = {"before": "in_service", "after": "candidate", "baseline": "baseline"}
_MEASURES = {
    "category, by its own word": "accuracy",
    "category, macro-F1": "macro_f1",
    "category, as served": "served_accuracy",
    "severity, exact": "severity_exact",
    "answers that are JSON": "json_valid",
    "canaries right": "canaries",
    "median answer, ms": "latency_ms",
}


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, default=320, help="examples; long ones are left out")
    parser.add_argument("--test", type=int, default=60, help="examples of other products")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-write", action="store_true")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="opspilot-learn-") as folder:
            sys.exit(asyncio.run(_learn(Path(folder), options)))
    except OpsPilotError as error:
        sys.exit(f"opspilot: {error}")


async def _learn(folder: Path, options: argparse.Namespace) -> int:
    began_ms = monotonic_ms()
    environment = LocalEnvironment.read(os.environ, Path.home())
    # The converted base is kept: making it takes a minute.
    os.environ.update(_variables(folder, environment.cache_directory / "training"))
    with EmbeddedBroker(folder / "kafka", find_runtime(environment)) as broker:
        os.environ["OPSPILOT_KAFKA__BOOTSTRAP"] = broker.bootstrap
        _say(f"making {options.train} examples and {options.test} of other products")
        await _run(
            "dataset", "generate", str(folder / "replay"), "--seed", str(options.seed),
            "--train", str(options.train), "--validation", "12", "--test", str(options.test),
        )  # fmt: skip
        settings = load_settings()
        await create_topics(settings)
        with running_model(settings.model, folder / "logs", _say) as model:
            slots = settings.model.local_slots
            os.environ.update(judge_variables(model.url, slots, 1, os.environ))
            trainer = WorkerSpec("trainer", (sys.executable, "-m", "opspilot", "trainer"))
            stages = [stage_worker("classify"), stage_worker("drift"), trainer]
            with Supervisor(stages, folder / "logs", grace_seconds=60.0) as supervisor:
                supervisor.wait_ready(READY_SECONDS)
                result, judges = await _loop(folder, supervisor)
    minutes = (monotonic_ms() - began_ms) / 60_000
    return _tell(folder, result, judges, minutes, not options.no_write)


async def _loop(folder: Path, supervisor: Supervisor) -> tuple[RetrainingResult, bool]:
    """Go round once; return what became of the training, and whether its adapter judges."""

    def alive() -> None:
        for worker in supervisor.status():
            if worker.state is WorkerState.GIVEN_UP:
                raise OpsPilotError(f"{worker.name} ended: {' '.join(worker.last_lines)[-500:]}")

    seen, later = _incidents(read_split(folder / "replay", Split.TRAIN))
    world = World(load_settings(), _say)
    try:
        _say(f"{len(seen)} incidents happen, and the base model judges them")
        verdicts = await world.judged([one.incident for one in seen])
        words, wrong = await world.say_truth(verdicts, seen)
        _say(f"three people say {words} words: {wrong} of {len(seen)} verdicts are wrong")
        result = await world.result(alive)
        if result.state is not TrainingState.RELEASED:
            return result, False
        for number, one in enumerate(later, start=1):
            again = one.incident.model_copy(update={"id": f"{one.incident.id}-{number}"})
            (verdict,) = await world.judged([again])
            if verdict.judge.adapter == result.adapter:
                _say(f"the next incident is judged by {result.adapter}: {verdict.category}")
                return result, True
        return result, False
    finally:
        await world.close()


def _incidents(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Return what people see, as many of each category, and some that happen later."""
    seen: list[Example] = []
    for category in Category:
        seen += [one for one in examples if one.category is category][:JUDGED_PER_CATEGORY]
    chosen = {one.id for one in seen}
    return seen, [one for one in examples if one.id not in chosen][:10]


def _variables(folder: Path, kept: Path) -> Mapping[str, str]:
    training = {
        **RECIPE,
        "FOLDER": str(folder / "training"),
        "REPLAY": str(folder / "replay"),
    }
    kept.mkdir(parents=True, exist_ok=True)
    (folder / "training").mkdir()
    (folder / "training" / "bases").symlink_to(kept, target_is_directory=True)
    keys = folder / "keys.json"
    keys.write_text(json.dumps(dict(KEYS)), encoding="utf-8")
    return {
        **{f"OPSPILOT_TRAINING__{name}": value for name, value in training.items()},
        "OPSPILOT_FEEDBACK__KEYS_FILE": str(keys),
        "OPSPILOT_RELEASE__REGISTRY": str(folder / "registry"),
        # People are asked once here, so what passes the gate judges all.
        "OPSPILOT_RELEASE__CHALLENGER_SHARE": "1",
        "OPSPILOT_MODEL__LOCAL_ADAPTER_FOLDER": str(folder / "adapters"),
        "OPSPILOT_MODEL__LOCAL_PORT": "0",
        # Training and trial take turns, so each may have all cores.
        "OPSPILOT_MODEL__LOCAL_THREADS": str(os.cpu_count() or 1),
        "OPSPILOT_MODEL__LOCAL_SLOTS": SLOTS,
        "OPSPILOT_MODEL__CALLS_PER_SERVICE_HOUR": "1000",
        "OPSPILOT_WORKER__DATA_FOLDER": str(folder / "workers"),
    }


async def _run(*arguments: str) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "opspilot", *arguments, stdout=asyncio.subprocess.DEVNULL
    )
    if await child.wait():
        raise OpsPilotError(f"`opspilot {' '.join(arguments[:2])}` failed")


def _tell(folder: Path, result: RetrainingResult, judges: bool, minutes: float, write: bool) -> int:
    figures = result.figures
    _say(f"{result.state}: {result.reason}")
    if "candidate_accuracy" not in figures:
        return 1
    rows = [
        (label, *(_number(figures[f"{who}_{measure}"]) for who in _WHO.values()))
        for label, measure in _MEASURES.items()
    ]
    table = Figures(_title(folder, result, minutes), ("", *_WHO), tuple(rows))
    show([table])
    if write:
        PAGE.write_text(fill(PAGE.read_text("utf-8"), "learn", COMMAND, [table]), "utf-8")
    gain = figures["candidate_accuracy"] - figures["in_service_accuracy"]
    kept = figures["candidate_canaries"] >= figures["in_service_canaries"]
    return 0 if gain >= WANTED_GAIN and kept and judges else 1


def _title(folder: Path, result: RetrainingResult, minutes: float) -> str:
    (job,) = (folder / "training" / "jobs").iterdir()
    tested, canaries = (
        len(read_split(job / "data", split)) for split in (Split.TEST, Split.CANARY)
    )
    card = read_card(job / "adapter")
    trained = card.training["seconds"] / 60
    return (
        f"{tested} incidents not trained on, {canaries} canaries; {card.train_examples} examples "
        f"trained on in {trained:.0f} of {minutes:.0f} minutes; {result.state}"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:.3f}"


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
