"""OpenTelemetry's log export in JSON (OTLP 1): one record, many entries.

Comes in: a decoded ExportLogsServiceRequest. Goes out: its log records, each with the claim of its
resource. Raises DecodeError `otlp` where the structure is not the one that the protocol names.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from schemas.vocabulary import Level
from streams.errors import DecodeError
from streams.ingest.batch import ReducerOptions
from streams.ingest.eventtime import plausible
from streams.ingest.identity import Claim
from streams.ingest.recordlevel import level_of_severity_number, level_of_value

_ROOTS = ("resourceLogs", "resource_logs")


class OtlpEntry(NamedTuple):
    """One log record of an export."""

    text: str
    time_ms: int | None
    claim: Claim
    level: Level | None


def is_otlp(document: dict[str, Any]) -> bool:
    """Tell whether a JSON object is an export of logs."""
    return any(root in document for root in _ROOTS)


def otlp_entries(document: dict[str, Any], options: ReducerOptions) -> list[OtlpEntry]:
    """Return all log records of an export, in its order; an export may be empty."""
    try:
        return list(_entries(document, options))
    except (TypeError, AttributeError, ValueError, KeyError, OverflowError) as error:
        message = f"resourceLogs is not what OTLP JSON says: {error}"
        raise DecodeError("otlp", message) from None


def _entries(document: dict[str, Any], options: ReducerOptions) -> Iterator[OtlpEntry]:
    for resource in _list(document, *_ROOTS):
        claim = _claim(_attributes(resource.get("resource") or {}), options)
        scopes = _list(resource, "scopeLogs", "scope_logs", "instrumentationLibraryLogs")
        for scope in scopes:
            for record in _list(scope, "logRecords", "log_records"):
                yield _entry(record, claim)


def _entry(record: dict[str, Any], claim: Claim) -> OtlpEntry:
    body = _value(record.get("body") or {})
    text = body if isinstance(body, str) else msgspec.json.encode(body).decode()
    exception = _attributes(record).get("exception.stacktrace")
    if isinstance(exception, str) and exception:
        text = f"{text}\n{exception}"
    number = int(record.get("severityNumber") or record.get("severity_number") or 0)
    level = level_of_severity_number(number)
    if level is None:
        level = level_of_value(record.get("severityText") or record.get("severity_text"))
    nanos = 0
    for name in ("timeUnixNano", "time_unix_nano", "observedTimeUnixNano"):
        nanos = nanos or int(record.get(name) or 0)
    return OtlpEntry(text, plausible(nanos // 1_000_000) if nanos else None, claim, level)


def _list(parent: Any, *names: str) -> list[dict[str, Any]]:
    for name in names:
        found = parent.get(name)
        if found is not None:
            if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
                raise TypeError(f"{name} must be a list of objects")
            return found
    return []


def _attributes(parent: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: _value(pair.get("value") or {}) for pair in _list(parent, "attributes")}


def _value(value: dict[str, Any]) -> Any:
    """Return what an AnyValue holds."""
    if not isinstance(value, dict):
        raise TypeError("a value must be an object that names its type")
    if "arrayValue" in value:
        return [_value(item) for item in _list(value["arrayValue"], "values")]
    if "kvlistValue" in value:
        pairs = _list(value["kvlistValue"], "values")
        return {pair["key"]: _value(pair.get("value") or {}) for pair in pairs}
    return next(iter(value.values()), "")


def _claim(attributes: dict[str, Any], options: ReducerOptions) -> Claim:
    def first(*names: str) -> str:
        found = (attributes.get(name) for name in names)
        return next((word for word in found if isinstance(word, str) and word), "")

    return Claim(
        first("service.name", *options.service_fields, "k8s.deployment.name", "k8s.container.name"),
        first("service.namespace", "k8s.namespace.name"),
        first("deployment.environment.name", "deployment.environment"),
        first("service.instance.id", "k8s.pod.name", "host.name"),
    )
