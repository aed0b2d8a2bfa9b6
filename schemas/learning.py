"""What the learning loop exchanges: feedback, drift, training requests and results, releases."""

from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import ConfigDict, Field

from schemas.base import Count, EpochMs, LongText, Record, Share, ShortText
from schemas.vocabulary import Category, Severity


class Feedback(Record):
    """What a person says of one verdict; the latest word per person and incident counts.

    `signature` is an HMAC of the other fields (agents/logic/feedback/signing.py); all words without
    one count as those of a single person.
    """

    TYPE: ClassVar[str] = "feedback"
    type: Literal["feedback"] = "feedback"

    incident_id: str
    revision: Count
    person: ShortText
    given_ms: EpochMs
    category_correct: bool | None = None
    severity_correct: bool | None = None
    summary_useful: bool | None = None
    plan_useful: bool | None = None
    corrected_category: Category | None = None
    corrected_severity: Severity | None = None
    comment: LongText | None = None
    model: ShortText
    adapter: ShortText | None = None
    signature: str | None = None


class DriftScore(Record):
    """How far one model and adapter have drifted, over a sliding window of feedback.

    `score` is the share of verdicts that people called wrong, each person's counted up to a bound;
    `category_shift` is the population stability index of the verdicts' categories.
    """

    TYPE: ClassVar[str] = "drift"
    type: Literal["drift"] = "drift"

    model: ShortText
    adapter: ShortText | None = None
    score: Share
    samples: Count
    error_rate: Share
    error_rate_low: Share
    error_rate_high: Share
    errors_by_category: dict[Category, Share] = Field(default_factory=dict)
    category_shift: float = Field(ge=0)
    abstention_rate: Share
    people: Count = 0
    """How many people the samples come from; all that do not sign are one."""
    at_ms: EpochMs


class RetrainingRequest(Record):
    """The wish for a better adapter: one per drift episode."""

    TYPE: ClassVar[str] = "training-request"
    type: Literal["training-request"] = "training-request"

    id: str
    model: ShortText
    adapter: ShortText | None = None
    reason: ShortText
    drift: Share
    feedback_count: Count
    scheduled_ms: EpochMs


class TrainingState(StrEnum):
    """Where a training job stands."""

    NOT_TRIGGERED = "not_triggered"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    REFUSED = "refused"
    RELEASED = "released"
    FAILED = "failed"
    PROMOTED = "promoted"
    """A challenger's own feedback made it the champion."""
    ROLLED_BACK = "rolled_back"
    """Feedback took an adapter out of service again."""


ENDED = (TrainingState.RELEASED, TrainingState.REFUSED, TrainingState.FAILED)
"""What becomes of a job that has run: one of these."""


class RetrainingResult(Record):
    """What came of a request: RetrainingResult of the requirements."""

    TYPE: ClassVar[str] = "training-result"
    type: Literal["training-result"] = "training-result"

    request_id: str | None = None
    model: ShortText
    triggered: bool
    reason: ShortText
    feedback_count: Count
    scheduled_time: EpochMs | None = None
    state: TrainingState
    progress: Share = 0.0
    adapter: ShortText | None = None
    figures: dict[str, float] = Field(default_factory=dict)


class ModelRole(StrEnum):
    """The part that a released model plays."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"


class ModelRelease(Record):
    """Which model and adapter play a role, and for what share of the incidents."""

    TYPE: ClassVar[str] = "release"
    type: Literal["release"] = "release"

    role: ModelRole
    backend: ShortText
    model: ShortText
    adapter: ShortText | None = None
    adapter_digest: str | None = None
    share: Share = 1.0
    previous_backend: ShortText | None = None
    previous_model: ShortText | None = None
    """What served before and is gone back to on bad feedback; None: there is nothing to go to."""
    previous_adapter: ShortText | None = None
    previous_adapter_digest: str | None = None
    reason: ShortText | None = None
    released_ms: EpochMs


class BaselineArtefact(Record):
    """A baseline fitted anew: what a stage needs to judge by it, under the name it is released as.

    `digest` is the SHA-256 of the registry's manifest, as in the release (training/registry.py).
    """

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
    TYPE: ClassVar[str] = "baseline"
    type: Literal["baseline"] = "baseline"

    name: ShortText
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    arrays: bytes
    """numpy's .npz: vocabulary, rarity, matrix, scale, bias."""
    description: str
    """JSON: format, categories, temperatures, what it was fitted on."""
    made_ms: EpochMs
