"""What can go wrong with a model server, as one tree: what to do next is read off the class.

ModelError
├── RetryableError          the same question may be answered a moment later
│   ├── OverloadedError     429, 503: too much at once; may say when to come back
│   ├── UnreachableError    refused, reset, no such host, cut off in the middle
│   └── ServerFaultError    5xx, generation failed, incomplete generation
├── TimedOutError           the call's time budget is used up
├── RejectedError           this request will never be answered
│   ├── NotAllowedError     401, 403: the key is missing, wrong or without the right
│   └── TooLongError        the prompt does not fit the model
├── BadAnswerError          an answer came that is not what was asked for
└── NotAskedError           no call was made: breaker open, budget used up, nothing configured
"""

from streams.errors import OpsPilotError


class ModelError(OpsPilotError):
    """A model gave no usable answer; `reason` is one of a closed set, for records and metrics."""

    reason = "model-error"


class RetryableError(ModelError):
    """The same question may be answered a moment later."""

    reason = "server-fault"


class OverloadedError(RetryableError):
    """Too much at once; `retry_after_seconds` is what the server said, if anything."""

    reason = "overloaded"

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UnreachableError(RetryableError):
    """Nobody answers there, or the connection broke."""

    reason = "unreachable"


class ServerFaultError(RetryableError):
    """The server failed at this answer."""

    reason = "server-fault"


class TimedOutError(ModelError):
    """The call's time budget is used up."""

    reason = "timed-out"


class RejectedError(ModelError):
    """This request will never be answered as it is."""

    reason = "rejected"


class NotAllowedError(RejectedError):
    """The key is missing, wrong or without the right."""

    reason = "not-allowed"


class TooLongError(RejectedError):
    """The prompt does not fit the model."""

    reason = "too-long"


class BadAnswerError(ModelError):
    """An answer came that is not what was asked for; `text` is what came, for the repair."""

    reason = "bad-answer"

    def __init__(self, message: str, text: str = "") -> None:
        super().__init__(message)
        self.text = text


class NotAskedError(ModelError):
    """No call was made; `reason` says why: breaker-open, over-budget, no-model."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
