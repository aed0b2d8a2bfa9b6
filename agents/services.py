"""What people say of their services, as the stages see it.

Comes in: the `services` topic. Goes out: the latest ServiceInfo per service. Promise: a record that
is not a ServiceInfo is left out and said once; it never stops a judgement.
"""

import logging
from collections.abc import Mapping

from pydantic import ValidationError

from schemas.services import ServiceInfo
from schemas.topics import SERVICES
from streams.compacted import CompactedTopic
from streams.settings import Settings

log = logging.getLogger(__name__)


class ServiceDirectory:
    """The latest word on each service."""

    def __init__(self, settings: Settings) -> None:
        self._topic = CompactedTopic(settings, SERVICES)
        self._known: dict[str, ServiceInfo] = {}
        self._version = -1

    async def find(self, service: str) -> ServiceInfo | None:
        """Return what is known of `service`."""
        return (await self._all()).get(service)

    async def dependencies(self) -> Mapping[str, tuple[str, ...]]:
        """Return the declared dependencies of every service that declares any."""
        known = await self._all()
        return {name: info.dependencies for name, info in known.items() if info.dependencies}

    async def _all(self) -> Mapping[str, ServiceInfo]:
        values = await self._topic.read()
        if self._version != self._topic.version:
            self._version = self._topic.version
            self._known = {info.service: info for info in map(_read, values.values()) if info}
        return self._known


def _read(value: bytes) -> ServiceInfo | None:
    try:
        return ServiceInfo.from_bytes(value)
    except ValidationError as error:
        log.warning("a record of the services topic is not a service: %s", error)
        return None
