"""Every error that OpsPilot raises on purpose, as one tree.

    OpsPilotError                the message is one sentence for a person; exit status 1
    ├── InputError               a file, a line or an argument cannot be used: mend it and run again
    ├── ConfigurationError       a setting is missing or wrong: mend it and run again
    ├── BrokerError              Kafka is unreachable, refuses us, or is not what was configured
    │   └── TopicError           a topic is missing or exists with other settings
    ├── DecodeError              one message cannot be read: it goes to the dead letters
    └── LedgerError              lines do not balance

Recoverable by trying again: BrokerError (not TopicError). The others need a person, or a dead
letter.
"""


class OpsPilotError(Exception):
    """Base of the tree; `str(error)` is one clear sentence."""

    exit_status = 1


class InputError(OpsPilotError):
    """A file, a line or an argument cannot be used as it is."""


class ConfigurationError(OpsPilotError):
    """A setting is missing or wrong; the message names it, its value and the fix."""


class BrokerError(OpsPilotError):
    """Kafka is unreachable, refuses us, or is not what was configured."""


class TopicError(BrokerError):
    """A topic is missing, or exists with settings other than the map says."""


class DecodeError(OpsPilotError):
    """One message cannot be read; `reason` is a short stable word for metrics and dead letters."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class LedgerError(OpsPilotError):
    """The lines received and the lines accounted for differ."""
