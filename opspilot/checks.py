"""What `opspilot doctor` looks at, one function per thing.

Comes in: settings and the local environment. Goes out: Finding out of each: fine, or what is wrong
and how to mend it. Promise: looks only; creates, fetches and repairs nothing.
"""

import asyncio
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from opspilot.local.environment import LocalEnvironment
from opspilot.local.jars import resolve_jars
from opspilot.local.java import find_java
from opspilot.local.lock import LockedJar, committed_lock
from opspilot.local.ports import is_free
from opspilot.local.probe import answers
from opspilot.local.resolve import parse_bootstrap
from streams.errors import ConfigurationError, OpsPilotError
from streams.settings import Settings

OLDEST_PYTHON = (3, 11)
WANTED_FREE_BYTES = 2 << 30
DEFAULT_PORT = 9092
ANSWER_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Checked:
    """What one look found."""

    name: str
    fine: bool
    said: str


def check_python() -> str:
    """Python is new enough."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        raise ConfigurationError(f"Python {found} is too old: install 3.11 or newer")
    return f"Python {found}"


def check_java() -> str:
    """A Java that runs Kafka is there."""
    java = find_java(_environment())
    return f"version {java.major} at {java.program}"


def check_jars() -> str:
    """Kafka's jars are in the cache, or can be fetched."""
    environment = _environment()
    if environment.kafka_home:
        jars = list(Path(environment.kafka_home, "libs").glob("kafka_2.*.jar"))
        if not jars:
            raise ConfigurationError(
                f"KAFKA_HOME={environment.kafka_home} holds no Kafka: set it to an unpacked "
                "Apache Kafka, or unset it"
            )
        return f"from KAFKA_HOME, {jars[0].name}"
    lock = committed_lock()
    try:
        resolve_jars(lock, environment.cache_directory, fetch=_refuse)
    except OpsPilotError:
        if importlib.util.find_spec("jgo") is None:
            raise ConfigurationError(
                "Kafka's jars are not on this machine and jgo, which fetches them, is not "
                "installed: run `pip install 'opspilot[local]'`, or use --kafka HOST:PORT"
            ) from None
        size = sum(jar.size_bytes for jar in lock) >> 20
        return f"not fetched yet; the first start fetches {len(lock)} jars, {size} MiB"
    return f"{len(lock)} jars in {environment.cache_directory}"


def _refuse(jar: LockedJar, _folder: Path) -> Path:
    raise ConfigurationError(f"{jar.artifact} is not here")


def check_disk() -> str:
    """There is room for Kafka's data."""
    free_bytes = shutil.disk_usage(Path.cwd()).free
    if free_bytes < WANTED_FREE_BYTES:
        raise ConfigurationError(
            f"only {free_bytes >> 20} MiB are free on the disk of {Path.cwd()}: free some space, "
            "or name a folder on another disk with `opspilot up --data FOLDER`"
        )
    return f"{free_bytes >> 30} GiB free"


def check_port() -> str:
    """The port of `opspilot up` is free, or a Kafka is what holds it."""
    if is_free(DEFAULT_PORT):
        return f"{DEFAULT_PORT} is free for `opspilot up`"
    if answers("127.0.0.1", DEFAULT_PORT, ANSWER_SECONDS):
        return f"a Kafka answers on {DEFAULT_PORT}"
    raise ConfigurationError(
        f"port {DEFAULT_PORT} is held by something that is no Kafka: stop it, or start with "
        "`opspilot up --port PORT`"
    )


def check_judge() -> str:
    """The baseline judge's artefact loads."""
    from agents.logic.judging.classifier import load_classifier

    found = load_classifier().meta["events_sha256"][:12]
    return f"baseline-{found} loads"


def check_runbooks(settings: Settings) -> str:
    """Every runbook can be used."""
    from agents.runbook_files import load_library

    library = load_library(settings.judge.runbook_folders)
    return f"{len(library.runbooks)} parse"


def check_broker(settings: Settings, named: bool) -> str:
    """Kafka answers and takes us, where one was named or one runs at the default address."""
    from streams.kafka import make_admin, started

    kafka = settings.kafka
    if not named and not _runs(settings):
        return f"none runs at {kafka.bootstrap}, none was named; `opspilot up` starts one"

    async def connect() -> None:
        async with started(make_admin(kafka), kafka):
            return

    asyncio.run(connect())
    return f"Kafka at {kafka.bootstrap} ({kafka.security_protocol}) answers"


def _runs(settings: Settings) -> bool:
    addresses = parse_bootstrap(settings.kafka.bootstrap)
    return any(answers(host, port, ANSWER_SECONDS) for host, port in addresses)


def check_topics(settings: Settings, named: bool) -> str:
    """The topics are as the map says."""
    from schemas.topics import TOPICS
    from streams.admin import check_topics as compare

    if not named and not _runs(settings):
        return "nothing to compare without a Kafka"
    asyncio.run(compare(settings, TOPICS.values()))
    return f"{len(TOPICS)} are as the map says"


def run_checks(settings: Settings, named: bool) -> list[Checked]:
    """Look at everything; `named` says that a Kafka was named, so it must be there."""
    looks: list[tuple[str, Callable[[], str]]] = [
        ("python", check_python),
        ("java", check_java),
        ("kafka jars", check_jars),
        ("disk", check_disk),
        ("port", check_port),
        ("judge", check_judge),
        ("runbooks", lambda: check_runbooks(settings)),
    ]
    checked = [_look(name, look) for name, look in looks]
    broker = _look("broker", lambda: check_broker(settings, named))
    if broker.fine:
        topics = _look("topics", lambda: check_topics(settings, named))
    else:
        topics = Checked("topics", False, "cannot be compared before the broker lets us in")
    return [*checked, broker, topics]


def _look(name: str, look: Callable[[], str]) -> Checked:
    try:
        return Checked(name, True, look())
    except OpsPilotError as error:
        return Checked(name, False, str(error))
    except (OSError, ValueError, LookupError) as error:
        return Checked(name, False, f"{type(error).__name__}: {error}")


def _environment() -> LocalEnvironment:
    return LocalEnvironment.read(os.environ, Path.home())
