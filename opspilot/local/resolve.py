"""Which Kafka a command uses: the one that was named, else an embedded one.

In: the address from --kafka (or none), the local environment, a data directory.
Out: a context manager that yields a bootstrap address which answers.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from opspilot.local.broker import BrokerOptions, EmbeddedBroker
from opspilot.local.environment import LocalEnvironment
from opspilot.local.jars import Progress
from opspilot.local.probe import answers
from opspilot.local.runtime import find_runtime
from streams.errors import BrokerError, ConfigurationError

ANSWER_SECONDS = 5.0
_HOST = re.compile(r"\[[0-9a-fA-F:.]+\]|[^\s:/,\[\]]+")


@contextmanager
def resolve_broker(
    kafka: str | None,
    directory: Path,
    environment: LocalEnvironment,
    *,
    options: BrokerOptions | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
    plaintext: bool = True,
    started: Callable[[EmbeddedBroker], None] | None = None,
) -> Iterator[str]:
    """Yield HOST:PORT of a broker that answers; an embedded one is stopped at the end.

    `kafka` names a running broker and is only asked whether it is there (not even that where
    `plaintext` is False, since a TLS port answers TLS clients alone). Otherwise Kafka is started
    in `directory`, from KAFKA_HOME where that is set; `started` is given it. `say` hears one line
    per slow step.
    """
    if kafka is not None:
        addresses = parse_bootstrap(kafka)
        if plaintext and not any(answers(host, port, ANSWER_SECONDS) for host, port in addresses):
            raise BrokerError(
                f"no Kafka answers at {kafka} within {ANSWER_SECONDS:.0f} s: check the address and "
                "that the broker runs (if it needs TLS or a login, set "
                "OPSPILOT_KAFKA__SECURITY_PROTOCOL), or leave --kafka out to have one started."
            )
        yield kafka
        return
    runtime = find_runtime(environment, progress)
    first_time = not runtime.archive.exists()
    if say is not None:
        hint = " (the first start on a machine takes longer)" if first_time else ""
        say(f"starting Kafka in {directory}{hint}")
    broker = EmbeddedBroker(directory, runtime, options)
    with broker:
        if say is not None:
            say(f"Kafka answers at {broker.bootstrap}")
        if started is not None:
            started(broker)
        try:
            yield broker.bootstrap
        finally:
            if say is not None:
                hint = ", and noting its classes for faster starts" if first_time else ""
                say(f"stopping Kafka{hint}")


def parse_bootstrap(text: str) -> list[tuple[str, int]]:
    """Read HOST:PORT[,HOST:PORT...]; ConfigurationError names the part that is not one."""
    addresses = []
    for part in text.split(","):
        host, _, port = part.strip().rpartition(":")
        if not _HOST.fullmatch(host) or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ConfigurationError(
                f"--kafka {text}: {part.strip()!r} is not HOST:PORT; write it like 127.0.0.1:9092."
            )
        addresses.append((host.removeprefix("[").removesuffix("]"), int(port)))
    return addresses
