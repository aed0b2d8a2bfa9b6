"""Why a Kafka broker did not come up, in one sentence for a person.

In: the last lines of its log. Out: what went wrong and what to do, and those lines. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Diagnosis:
    """The likely cause; `port_taken` when another choice of ports may help."""

    sentence: str
    port_taken: bool = False


_CAUSES = (
    (
        ("Address already in use",),
        Diagnosis("its port is in use: stop what holds it, or choose another.", port_taken=True),
    ),
    (
        ("No space left on device", "Disk quota exceeded"),
        Diagnosis("the disk is full: free some space, or name a data directory on another disk."),
    ),
    (
        ("OutOfMemoryError", "insufficient memory", "Could not reserve enough space"),
        Diagnosis("there was not enough memory for it: end other programs and try again."),
    ),
    (
        ("Failed to acquire lock on file .lock",),
        Diagnosis("another Kafka uses its data directory: stop it, or name another directory."),
    ),
    (
        (
            "InconsistentClusterIdException",
            "No `meta.properties` found",
            "InconsistentBrokerMetadataException",
            "CorruptRecordException",
            "KafkaStorageException",
            "CorruptSnapshotException",
            "recovering log",
            "in meta.properties",
        ),
        Diagnosis(
            "its data directory is damaged or of another kind: move it away and start again; "
            "Kafka begins anew with an empty one."
        ),
    ),
    (
        ("UnsupportedClassVersionError",),
        Diagnosis("the Java runtime is too old for it: set JAVA_HOME to version 17 or newer."),
    ),
    (
        ("Permission denied", "AccessDeniedException"),
        Diagnosis("it may not write its data directory: mend the rights, or name another one."),
    ),
    (
        ("ClassNotFoundException", "NoClassDefFoundError", "Could not find or load main class"),
        Diagnosis("jars are missing from its class path: check KAFKA_HOME, or unset it."),
    ),
    (
        ("ConfigException",),
        Diagnosis("it refused a setting of its server.properties."),
    ),
)


def diagnose(lines: Sequence[str]) -> Diagnosis:
    """Return the cause that the log names, the most telling one first."""
    text = "\n".join(lines)
    for phrases, diagnosis in _CAUSES:
        if any(phrase in text for phrase in phrases):
            return diagnosis
    return Diagnosis("the reason stands in its log.")


def quote(lines: Sequence[str], limit: int = 12) -> str:
    """Return the lines that tell most, errors first choice, indented below a sentence."""
    telling = [line for line in lines if _tells(line)] or list(lines)
    return "".join(f"\n  | {line[:300]}" for line in telling[-limit:])


def _tells(line: str) -> bool:
    return any(word in line for word in ("ERROR", "FATAL", "Exception", "Error", "Caused by"))
