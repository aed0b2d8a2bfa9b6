"""Why the baseline answered, or another than was wanted: the closed set of `fallbackReason`."""

from enum import StrEnum


class FallbackReason(StrEnum):
    """One word per cause; those of ModelError's tree carry the same word."""

    MODEL_ERROR = "model-error"
    OVERLOADED = "overloaded"
    """The server said that it was too much, until the tries were used up."""
    UNREACHABLE = "unreachable"
    SERVER_FAULT = "server-fault"
    TIMED_OUT = "timed-out"
    REJECTED = "rejected"
    NOT_ALLOWED = "not-allowed"
    TOO_LONG = "too-long"
    BAD_ANSWER = "bad-answer"
    """Neither the answer nor its repair held what was asked for."""
    BREAKER_OPEN = "breaker-open"
    OVER_BUDGET = "over-budget"
    """The service has had its calls of this hour."""
    NO_MODEL = "no-model"
    """The release in service names a backend that this process does not have."""
    BUSY = "busy"
    """So many waited for the server that the turn did not come in time."""
    HOSTILE_EVIDENCE = "hostile-evidence"
    """Lines of the evidence speak to a model, so it was not asked."""
    ADAPTER_SILENT = "adapter-silent"
    """The base model answered: the probe found no sign of the adapter."""
    ADAPTER_UNPROVEN = "adapter-unproven"
    """The base model answered: the probe of the adapter has not come to an end yet."""


def reason_of(word: str) -> FallbackReason:
    """Return the reason for an error's word; a word that nobody knows is a plain model error."""
    try:
        return FallbackReason(word)
    except ValueError:
        return FallbackReason.MODEL_ERROR
