"""What the fixture `broker` of every test gives: a Kafka that answers."""

from dataclasses import dataclass

from opspilot.local.broker import EmbeddedBroker


@dataclass(frozen=True)
class RunningBroker:
    """A broker that answers; `embedded` is None when it runs in a container."""

    bootstrap: str
    embedded: EmbeddedBroker | None = None
