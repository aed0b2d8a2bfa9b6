"""What all groups of settings share: frozen, and strict about names."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PREFIX = "OPSPILOT_"
Positive = Annotated[int, Field(gt=0)]


class Section(BaseModel):
    """A group of settings: frozen, and strict about names so that a typing mistake is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")
