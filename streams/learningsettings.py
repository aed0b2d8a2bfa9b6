"""The settings of learning: whose word counts, when drift asks for training, what releases."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, model_validator

from streams.section import PREFIX, Positive, Section

DAY_MS = 86_400_000
HOUR_MS = 3_600_000

Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]
Hour = Annotated[int, Field(ge=0, le=23)]


class TriggerPolicy(StrEnum):
    """When drift asks for training: by the score alone, or when the score is surely above."""

    THRESHOLD = "threshold"
    CONFIDENT = "confident"


class FeedbackSettings(Section):
    """Who says what of the verdicts, and how it is known that it was them."""

    person: str | None = Field(
        default=None, min_length=1, description="Who gives feedback here; unset: your login."
    )
    signing_key: SecretStr | None = Field(
        default=None, description="Signs what `opspilot feedback` says (HMAC-SHA256)."
    )
    keys_file: Path | None = Field(
        default=None,
        description="JSON object of person or gateway to key, by which `drift` checks signatures.",
    )
    single_person: bool = Field(
        default=False,
        description="The team is one person: its word then needs no second person's.",
    )
    wait_ms: Positive = Field(
        default=600_000,
        description="Feedback on an unknown incident waits so long, then is a dead letter.",
    )
    max_waiting: Positive = Field(
        default=200, description="Feedback that waits at once; the oldest gives way."
    )


class DriftSettings(Section):
    """When a model has drifted, and what its feedback then causes."""

    policy: TriggerPolicy = Field(
        default=TriggerPolicy.THRESHOLD,
        description="threshold (score above), or confident (lower bound of the interval above).",
    )
    threshold: Fraction = Field(default=0.2, description="Score above which training is asked for.")
    min_samples: Positive = Field(default=50, description="Words needed before drift is judged.")
    window_days: Positive = Field(default=30, description="Older words do not count.")
    window_samples: Positive = Field(
        default=500, description="Words per model and adapter that count, the latest."
    )
    max_per_person: Positive = Field(
        default=50, description="Words of one person that count, per model and adapter."
    )
    cool_down_hours: Positive = Field(
        default=24, description="Time between two requests for the same model."
    )
    training_from_hour: Hour | None = Field(
        default=None, description="Training may begin from this hour (UTC) on; unset: at any time."
    )
    training_to_hour: Hour | None = Field(
        default=None, description="Training may begin before this hour (UTC); unset: at any time."
    )
    max_judgements: Positive = Field(
        default=100_000, description="Judged incidents remembered; the oldest give way."
    )
    release_floor: Positive = Field(
        default=30,
        description="Words on a challenger, and on its champion, before it is promoted or "
        "withdrawn; whichever one person is left out.",
    )
    promotion_margin: Fraction = Field(
        default=0.1,
        description="How much worse a challenger that looks no worse may at most turn out to be.",
    )

    @model_validator(mode="after")
    def _hours_come_in_pairs(self) -> "DriftSettings":
        if (self.training_from_hour is None) != (self.training_to_hour is None):
            raise ValueError(
                f"set both {PREFIX}DRIFT__TRAINING_FROM_HOUR and {PREFIX}DRIFT__TRAINING_TO_HOUR"
            )
        return self

    @property
    def training_hours(self) -> tuple[int, int] | None:
        """Return from and to (UTC); None: training may begin at any time."""
        if self.training_from_hour is None or self.training_to_hour is None:
            return None
        return self.training_from_hour, self.training_to_hour
