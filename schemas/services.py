"""Who a line belongs to, and what people say about that service.

A service is `environment/namespace/service`; the raw key adds the instance, so that no service is
one hot partition. ServiceInfo (topic `services`) adds owner, platform, dependencies and runbooks.
"""

from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import Field

from schemas.base import Part, Record, ShortText

SERVICE_PATTERN = r"^[^/\s]{1,63}/[^/\s]{1,63}/[^/\s]{1,127}$"


class Platform(StrEnum):
    """Where a service runs; it chooses between the commands of a runbook."""

    KUBERNETES = "kubernetes"
    SYSTEMD = "systemd"
    UNKNOWN = "unknown"


class ServiceName(Part):
    """The three parts of a service's identity."""

    environment: str
    namespace: str
    service: str

    @classmethod
    def parse(cls, identity: str) -> "ServiceName":
        """Split `environment/namespace/service`; missing leading parts become `default`."""
        parts = identity.split("/")
        padded = ["default"] * (3 - len(parts)) + parts
        environment, namespace, *rest = padded
        return cls(environment=environment, namespace=namespace, service="-".join(rest))

    def __str__(self) -> str:
        return f"{self.environment}/{self.namespace}/{self.service}"


class ServiceInfo(Record):
    """What people know of a service; the latest record per service counts."""

    TYPE: ClassVar[str] = "service"
    type: Literal["service"] = "service"

    service: str = Field(pattern=SERVICE_PATTERN)
    owner: ShortText | None = None
    platform: Platform = Platform.UNKNOWN
    dependencies: tuple[str, ...] = ()
    runbooks: tuple[str, ...] = ()
