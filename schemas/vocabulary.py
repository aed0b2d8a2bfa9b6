"""The closed vocabularies of OpsPilot: every word that a record may use for a fixed idea.

Comes in: nothing. Goes out: string enumerations, ordered where order has a meaning.
Promise: the values are what stands on the wire; they are never renamed within a major version.
"""

from enum import StrEnum


class Category(StrEnum):
    """To whom an on-call team would route the incident."""

    NETWORK = "Network"
    DATABASE = "Database"
    APPLICATION = "Application"
    SECURITY = "Security"
    HARDWARE = "Hardware"
    PERFORMANCE = "Performance"


class Severity(StrEnum):
    """Impact of the incident if what the lines say is true; listed from worst to least."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """Return 3 for critical down to 0 for low, so that severities can be compared."""
        return 3 - list(Severity).index(self)


class Priority(StrEnum):
    """How soon somebody must act: severity by scope."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"


class Level(StrEnum):
    """The level that a log line states; listed from worst to least."""

    FATAL = "fatal"
    ERROR = "error"
    WARN = "warn"
    INFO = "info"
    DEBUG = "debug"


class FindingKind(StrEnum):
    """What an analysis window may find."""

    NEW_TEMPLATE = "new_template"
    BURST = "burst"
    DROP = "drop"
    SILENCE = "silence"
    ERROR_RATIO = "error_ratio"
    LATENCY = "latency"
    RARE_SEVERE = "rare_severe"
    REPORTED = "reported"
    """Described by a person with `opspilot submit`, not found in lines."""

    @property
    def is_absence(self) -> bool:
        """Tell whether it is found by lines that do not come."""
        return self in (FindingKind.SILENCE, FindingKind.DROP)


class FindingPhase(StrEnum):
    """Where a condition stands in its life."""

    OPENED = "opened"
    UPDATED = "updated"
    CLEARED = "cleared"


class IncidentStatus(StrEnum):
    """Where an incident stands in its life."""

    OPEN = "open"
    RESOLVED = "resolved"
    MERGED = "merged"
