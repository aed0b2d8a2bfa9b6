"""The whole pipeline on this machine: a Kafka, its topics, and every stage as a child process.

Comes in: a folder, how many processes per stage, perhaps the address of a Kafka that runs.
Goes out: a running stack. Promise: a context manager; leaving it drains and stops everything that
it started, and nothing else; settings reach the children through their environment alone.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from opspilot.local.broker import BrokerOptions, EmbeddedBroker
from opspilot.local.environment import LocalEnvironment
from opspilot.local.model.beside import RunningModel, judge_variables, running_model
from opspilot.local.model.files import shipped_adapter
from opspilot.local.resolve import resolve_broker
from opspilot.local.supervisor import Supervisor, explain_failure
from opspilot.local.worker import WorkerSpec, WorkerState, WorkerStatus, stage_worker
from schemas.topics import FEEDBACK, FINDINGS, INCIDENTS, LOGS_DIGESTS, LOGS_RAW, Topic, Width
from streams.admin import create_topics
from streams.errors import ConfigurationError, OpsPilotError
from streams.kafka import uses_sasl, uses_tls
from streams.section import PREFIX
from streams.settings import SecurityProtocol, Settings, load_settings

KAFKA_VARIABLE = f"{PREFIX}KAFKA__BOOTSTRAP"
STAGES = ("ingest", "analyze", "correlate", "classify", "recommend")
LEARNING = ("drift",)
"""What learns from feedback: without it incidents are judged all the same."""
JUDGES = ("classify", "recommend")
SOURCES: Mapping[str, Topic] = {
    "ingest": LOGS_RAW,
    "analyze": LOGS_DIGESTS,
    "correlate": FINDINGS,
    "classify": INCIDENTS,
    "recommend": INCIDENTS,
    "drift": FEEDBACK,
}
"""Where the partitions come from that bound a stage's processes."""
READY_SECONDS = 90.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class StackPlan:
    """What to run."""

    folder: Path
    members: Mapping[str, int] = field(default_factory=dict)
    """Processes per stage; 1 where not named."""
    kafka: str | None = None
    """HOST:PORT of a Kafka that runs; None starts one in `folder`."""
    port: int | None = None
    """Port of the Kafka that is started; None takes a free one."""
    prefix: str | None = None
    """Prefix of topics and groups, where not that of the settings."""
    local_model: bool = False
    """Start the local model and have it judge, whatever the settings say."""
    stages: tuple[str, ...] = STAGES
    """Which stages run."""


@dataclass(frozen=True)
class Stack:
    """A running stack."""

    plan: StackPlan
    settings: Settings
    supervisor: Supervisor
    created: tuple[str, ...]
    """Topics that did not exist before."""
    model: RunningModel | None = None
    """The local model, where it was asked for."""
    broker: EmbeddedBroker | None = None
    """The Kafka, where it was started here."""

    def status(self) -> tuple[WorkerStatus, ...]:
        """Return a snapshot of every process, the model's first."""
        beside = () if self.model is None else self.model.supervisor.status()
        return (*beside, *self.supervisor.status())

    def check(self) -> None:
        """Raise OpsPilotError, in one sentence, if something ended that does not come back."""
        if self.broker is not None:
            self.broker.check()
        for status in self.status():
            if status.state is WorkerState.GIVEN_UP:
                raise OpsPilotError(explain_failure(status))

    @property
    def bootstrap(self) -> str:
        """Return HOST:PORT of its Kafka."""
        return self.settings.kafka.bootstrap

    @property
    def logs(self) -> Path:
        """Return the folder of the processes' logs."""
        return log_folder(self.plan.folder)


def named_kafka() -> str | None:
    """Return the address that --kafka or the environment names; None where neither does."""
    return os.environ.get(KAFKA_VARIABLE)


def log_folder(folder: Path) -> Path:
    """Return where the logs of a stack in `folder` are."""
    return folder / "logs"


@contextmanager
def running_stack(plan: StackPlan, say: Say) -> Iterator[Stack]:
    """Start Kafka (unless named), create topics, start every process; stop them at the end.

    The processes may still be starting when this yields: `Supervisor.wait_ready` waits for them.
    Raises OpsPilotError in one sentence.
    """
    check_members(plan.members, load_settings())
    _make_folder(plan.folder)
    environment = LocalEnvironment.read(os.environ, Path.home())
    settings = load_settings()
    own: list[EmbeddedBroker] = []
    plaintext = not (uses_tls(settings.kafka) or uses_sasl(settings.kafka))
    with (
        _model_of(plan, settings, say) as model,
        resolve_broker(
            plan.kafka,
            plan.folder / "kafka",
            environment,
            options=BrokerOptions(port=plan.port),
            progress=_JarProgress(say),
            say=say,
            plaintext=plaintext,
            started=own.append,
        ) as bootstrap,
    ):
        variables = stack_variables(plan, bootstrap)
        judging = {} if model is None else _judging(plan, settings, model)
        settings = settings_of(plan, bootstrap)
        created = asyncio.run(create_topics(settings))
        say(f"{len(created)} topics created" if created else "topics are as they must be")
        specs = worker_specs(plan, variables, judging)
        with Supervisor(specs, log_folder(plan.folder)) as supervisor:
            yield Stack(plan, settings, supervisor, tuple(created), model, *own)
            say("stopping: each stage finishes what it has in hand")


def stack_variables(plan: StackPlan, bootstrap: str) -> dict[str, str]:
    """Return the environment variables that make a process part of the stack."""
    variables = {KAFKA_VARIABLE: bootstrap}
    if plan.kafka is None:
        # Our own broker speaks plain text to this machine alone, whatever the settings say.
        variables[f"{PREFIX}KAFKA__SECURITY_PROTOCOL"] = SecurityProtocol.PLAINTEXT.value
        variables[f"{PREFIX}TOPICS__REPLICATION"] = "1"
    if plan.prefix is not None:
        variables[f"{PREFIX}TOPICS__PREFIX"] = plan.prefix
    return variables


def settings_of(plan: StackPlan, bootstrap: str) -> Settings:
    """Return this process's settings, as the stack's processes have them."""
    settings = load_settings()
    kafka: dict[str, object] = {"bootstrap": bootstrap}
    topics: dict[str, object] = {}
    if plan.kafka is None:
        kafka["security_protocol"] = SecurityProtocol.PLAINTEXT
        topics["replication"] = 1
    if plan.prefix is not None:
        topics["prefix"] = plan.prefix
    return settings.model_copy(
        update={
            "kafka": settings.kafka.model_copy(update=kafka),
            "topics": settings.topics.model_copy(update=topics),
        }
    )


def worker_specs(
    plan: StackPlan, variables: Mapping[str, str], judging: Mapping[str, str] | None = None
) -> list[WorkerSpec]:
    """Return one specification per process, each with a data folder of its own.

    `judging` goes to the stages that ask a model, and to no other.
    """
    specs = []
    for stage in plan.stages:
        count = plan.members.get(stage, 1)
        for number in range(1, count + 1):
            name = stage if count == 1 else f"{stage}-{number}"
            own = {f"{PREFIX}WORKER__DATA_FOLDER": str(plan.folder / "work" / name)}
            asked = (judging or {}) if stage in JUDGES else {}
            specs.append(replace(stage_worker(stage, {**variables, **own, **asked}), name=name))
    return specs


def check_members(members: Mapping[str, int], settings: Settings) -> None:
    """Raise ConfigurationError for a stage with no process, or with more than can have work."""
    for stage, count in members.items():
        most = settings.topics.partitions(SOURCES[stage])
        if count < 1:
            raise ConfigurationError(f"--{stage} {count}: at least 1 process is needed")
        if count > most:
            width = SOURCES[stage].width
            fix = (
                "use 1"
                if width is Width.ONE
                else f"use at most {most}, or raise {PREFIX}TOPICS__{width.upper()}_PARTITIONS "
                "before the topics are created"
            )
            raise ConfigurationError(
                f"--{stage} {count}: its source has {most} "
                f"partition{'s' if most > 1 else ''}, so more processes would stand idle: {fix}"
            )


def _model_of(
    plan: StackPlan, settings: Settings, say: Say
) -> AbstractContextManager[RunningModel | None]:
    if not plan.local_model:
        return nullcontext()
    return running_model(settings.model, log_folder(plan.folder), say)


def _judging(plan: StackPlan, settings: Settings, model: RunningModel) -> dict[str, str]:
    judges = sum(plan.members.get(stage, 1) for stage in JUDGES)
    slots, own = settings.model.local_slots, shipped_adapter(settings.model.local_file)
    return judge_variables(model.url, slots, judges, os.environ, own.stem if own else None)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the data folder {folder} cannot be made ({error.strerror}): name another one"
        ) from None


class _JarProgress:
    """Says how the download of Kafka goes, once per tenth."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._tenths = -1

    def __call__(self, done: int, total: int, _name: str) -> None:
        tenths = 10 * done // max(1, total)
        if tenths > self._tenths:
            self._tenths = tenths
            self._say(f"fetching Kafka: {done >> 20} of {total >> 20} MiB")
