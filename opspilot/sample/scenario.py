"""The sample as a whole: which faults are in it, and its lines per service in order of time.

Comes in: a seed. Goes out: the same lines for the same seed. Pure, apart from `write_sample`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from opspilot.sample import auth, checkout, database, gateway, node
from opspilot.sample.clock import LENGTH_MINUTES, at_minute
from schemas.services import Platform, ServiceInfo
from schemas.vocabulary import Category

DEFAULT_SEED = 7


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong in the sample."""

    name: str
    service: str
    category: Category
    minutes: tuple[float, float]
    """When it begins and ends, in minutes after the sample's start."""

    @property
    def begin_ms(self) -> int:
        """Return when it begins."""
        return at_minute(self.minutes[0])

    @property
    def end_ms(self) -> int:
        """Return when its last line can come."""
        return at_minute(self.minutes[1])


FAULTS = (
    Fault("connection pool exhausted", "checkout", Category.DATABASE, checkout.POOL_MINUTES),
    Fault("certificate expired", "gateway", Category.SECURITY, gateway.CERTIFICATE_MINUTES),
    Fault("disk media errors", "node-7", Category.HARDWARE, node.DISK_MINUTES),
    Fault("passwords attacked", "auth", Category.SECURITY, auth.ATTACK_MINUTES),
    Fault("names not resolved", "auth", Category.NETWORK, auth.RESOLVER_MINUTES),
    Fault("out of memory", "node-7", Category.PERFORMANCE, node.MEMORY_MINUTES),
    Fault("slow queries", "orders-db", Category.PERFORMANCE, database.SLOW_MINUTES),
    Fault("bad release", "checkout", Category.APPLICATION, checkout.RELEASE_MINUTES),
)

Write = Callable[[Random, int], Iterator[tuple[int, str]]]
SERVICES: Mapping[str, Write] = {
    "gateway": gateway.lines,
    "checkout": checkout.lines,
    "orders-db": database.lines,
    "node-7": node.lines,
    "auth": auth.lines,
}


ABOUT = (
    ServiceInfo(service="default/default/gateway", owner="edge team", platform=Platform.KUBERNETES),
    ServiceInfo(
        service="default/default/checkout", owner="shop team", platform=Platform.KUBERNETES
    ),
    ServiceInfo(service="default/default/orders-db", owner="data team", platform=Platform.SYSTEMD),
    ServiceInfo(service="default/default/node-7", owner="platform team", platform=Platform.SYSTEMD),
    ServiceInfo(
        service="default/default/auth", owner="identity team", platform=Platform.KUBERNETES
    ),
)
"""What people would have said of the services, so that plans name owners and fit platforms."""


def service_lines(service: str, seed: int = DEFAULT_SEED) -> list[str]:
    """Return the lines of one service in order of time; an event may be several lines."""
    random = Random(f"{seed}/{service}")
    end_ms = at_minute(LENGTH_MINUTES)
    events = [event for event in SERVICES[service](random, end_ms) if event[0] < end_ms]
    events.sort(key=lambda event: event[0])
    return [line for _time_ms, text in events for line in text.split("\n")]


def write_sample(folder: Path, seed: int = DEFAULT_SEED) -> dict[str, Path]:
    """Write one log file per service into `folder`; returns them by service."""
    paths = {}
    for service in SERVICES:
        path = paths[service] = folder / f"{service}.log"
        path.write_text("\n".join(service_lines(service, seed)) + "\n", encoding="utf-8")
    return paths
