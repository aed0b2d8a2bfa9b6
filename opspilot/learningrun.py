"""`make learn`: the learning loop with a real small model, and what came of it, measured.

Comes in: how many examples to learn from and to test on. Goes out: a table of the model before and
after, beside the baseline, into docs/learning.md; exit status 0 where it gained 20 points and lost
no canary. It runs a Kafka, the local model and the trainer of its own, as `opspilot` runs them.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from opspilot.evaluating.figures import Figures, show
from opspilot.evaluating.report import fill
from opspilot.local.broker import EmbeddedBroker
from opspilot.local.environment import LocalEnvironment
from opspilot.local.model.beside import running_model
from opspilot.local.process import ChildProcess
from opspilot.local.runtime import find_runtime
from schemas.learning import ENDED, RetrainingRequest, RetrainingResult, TrainingState
from schemas.topics import TRAINING_REQUESTS, TRAINING_RESULTS
from streams.admin import create_topics
from streams.clock import monotonic_ms
from streams.errors import OpsPilotError
from streams.kafka import make_producer, started
from streams.settings import Settings, load_settings
from streams.tailing import TopicTail

PAGE = Path("docs/learning.md")
COMMAND = "make learn"
POLL_SECONDS = 5.0
WANTED_GAIN = 0.2
REQUEST = "learning-run"
MODEL = "gemma-3-270m"
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
    parser.add_argument("--train", type=int, default=480, help="examples; long ones are left out")
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
    # The converted base is kept: making it takes minutes.
    variables = _variables(folder, environment.cache_directory / "training")
    os.environ.update(variables)
    with EmbeddedBroker(folder / "kafka", find_runtime(environment)) as broker:
        os.environ["OPSPILOT_KAFKA__BOOTSTRAP"] = broker.bootstrap
        _say(f"making {options.train} examples and {options.test} of other products")
        await _run(
            "dataset", "generate", str(folder / "replay"), "--seed", str(options.seed),
            "--train", str(options.train), "--validation", "12", "--test", str(options.test),
        )  # fmt: skip
        await create_topics(load_settings())
        with running_model(load_settings().model, folder / "logs", _say) as model:
            os.environ["OPSPILOT_MODEL__BACKEND"] = "openai"
            os.environ["OPSPILOT_MODEL__URL"] = model.url
            settings = load_settings()
            trainer = ChildProcess(
                (sys.executable, "-m", "opspilot", "trainer"), folder / "trainer.log"
            )
            try:
                await _ask(settings)
                result = await _result(settings, trainer)
            finally:
                trainer.stop(60.0)
    minutes = (monotonic_ms() - began_ms) / 60_000
    return _tell(result, minutes, options)


def _variables(folder: Path, kept: Path) -> Mapping[str, str]:
    training = {
        **RECIPE,
        "FOLDER": str(folder / "training"),
        "REPLAY": str(folder / "replay"),
    }
    kept.mkdir(parents=True, exist_ok=True)
    (folder / "training").mkdir()
    (folder / "training" / "bases").symlink_to(kept, target_is_directory=True)
    return {
        **{f"OPSPILOT_TRAINING__{name}": value for name, value in training.items()},
        "OPSPILOT_RELEASE__REGISTRY": str(folder / "registry"),
        "OPSPILOT_MODEL__LOCAL_ADAPTER_FOLDER": str(folder / "adapters"),
        "OPSPILOT_MODEL__LOCAL_PORT": "0",
    }


async def _run(*arguments: str) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "opspilot", *arguments, stdout=asyncio.subprocess.DEVNULL
    )
    if await child.wait():
        raise OpsPilotError(f"`opspilot {' '.join(arguments[:2])}` failed")


async def _ask(settings: Settings) -> None:
    """Ask for a training as drift does."""
    request = RetrainingRequest(
        id=REQUEST,
        model=MODEL,
        reason="`make learn`",
        drift=1.0,
        feedback_count=0,
        scheduled_ms=0,
    )
    topic = settings.topics.name(TRAINING_REQUESTS)
    async with started(make_producer(settings.kafka), settings.kafka) as producer:
        await producer.send_and_wait(topic, key=MODEL.encode(), value=request.to_bytes())


async def _result(settings: Settings, trainer: ChildProcess) -> RetrainingResult:
    """Wait for what becomes of the request; say how far it is on the way."""
    tail, last = TopicTail(settings, TRAINING_RESULTS), ""
    found: list[RetrainingResult] = []
    try:
        while True:
            await tail.read_new(
                lambda record: found.append(RetrainingResult.from_bytes(record.value))
            )
            if found and found[-1].state in ENDED:
                return found[-1]
            if trainer.exit_code() is not None:
                raise OpsPilotError(f"the trainer ended with status {trainer.exit_code()}")
            said = f"{found[-1].reason} {found[-1].progress:.0%}" if found else "the trainer starts"
            if said != last:
                _say(said)
                last = said
            await asyncio.sleep(POLL_SECONDS)
    finally:
        await tail.close()


def _tell(result: RetrainingResult, minutes: float, options: argparse.Namespace) -> int:
    figures = result.figures
    _say(f"{result.state}: {result.reason}")
    if "candidate_accuracy" not in figures:
        return 1
    rows = [
        (label, *(f"{figures[f'{who}_{measure}']:.3g}" for who in _WHO.values()))
        for label, measure in _MEASURES.items()
    ]
    title = (
        f"{options.test} incidents of products not learnt from, 60 canaries; seed {options.seed}, "
        f"{minutes:.0f} minutes, {result.state}"
    )
    table = Figures(title, ("", *_WHO), tuple(rows))
    show([table])
    if not options.no_write:
        PAGE.write_text(fill(PAGE.read_text("utf-8"), "learn", COMMAND, [table]), "utf-8")
    gain = figures["candidate_accuracy"] - figures["in_service_accuracy"]
    kept = figures["candidate_canaries"] >= figures["in_service_canaries"]
    return 0 if gain >= WANTED_GAIN and kept and result.state is TrainingState.RELEASED else 1


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
