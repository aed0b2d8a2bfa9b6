"""What all records share: frozen, camelCase on the wire, versioned, tolerant of what is newer.

Comes in: JSON bytes. Goes out: the same JSON for the same content, byte for byte.
Promise: an unknown field is ignored (schemas only grow within a major version); a record of another
major version is refused; times are integer milliseconds since 1970 in UTC unless a name says else.
"""

from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

EpochMs = Annotated[int, Field(ge=0, description="Milliseconds since 1970-01-01T00:00:00Z.")]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
ShortText = Annotated[str, Field(max_length=512)]
LongText = Annotated[str, Field(max_length=4096)]

SCHEMA_VERSION = "1.0"


class Part(BaseModel):
    """A piece of a record: frozen, camelCase on the wire, unknown fields ignored."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        serialize_by_alias=True,
        use_enum_values=False,
        # JSON has no word for them: what we could not write again must not be read.
        allow_inf_nan=False,
    )

    def to_bytes(self) -> bytes:
        """Return it as JSON in UTF-8, with camelCase names and without empty optionals."""
        return self.model_dump_json(exclude_none=True).encode()

    @classmethod
    def from_bytes(cls, value: bytes) -> Self:
        """Read it from JSON; raises pydantic.ValidationError naming each field at fault."""
        return cls.model_validate_json(value)


class Record(Part):
    """A message of a topic; subclasses add `type: Literal["..."]`, the wire's discriminator."""

    TYPE: ClassVar[str]

    schema_version: str = Field(default=SCHEMA_VERSION, pattern=r"^\d+\.\d+$")

    @field_validator("schema_version")
    @classmethod
    def _same_major(cls, version: str) -> str:
        if version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
            msg = f"schemaVersion is {version}; this reader understands {SCHEMA_VERSION}"
            raise ValueError(msg)
        return version
