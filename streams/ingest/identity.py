"""Whose line it is: `environment/namespace/service`, and which instance of it wrote the line.

Comes in: words from a record, its headers or its key. Goes out: a valid, redacted identity.
Promise: the same words give the same identity; every result fits `schemas.services`.
"""

import re
from typing import NamedTuple

from streams.ingest.batch import Headers, ReducerOptions
from streams.ingest.redact import Redactor

_LIMITS = (63, 63, 127)
_UNFIT = re.compile(r"[\s/\x00-\x1f\x7f]+")
_INSTANCE_LIMIT = 253
_CACHE_LIMIT = 20_000


class Claim(NamedTuple):
    """What one source says of the writer; empty where it is silent."""

    service: str = ""
    """Also `namespace/service`, `environment/namespace/service`, or that and `/instance`."""
    namespace: str = ""
    environment: str = ""
    instance: str = ""


class Identities:
    """Turns claims into identities; remembers a bounded number of answers."""

    def __init__(self, options: ReducerOptions, redactor: Redactor) -> None:
        self._defaults = (
            options.default_environment,
            options.default_namespace,
            options.default_service,
        )
        self._redactor = redactor
        self._known: dict[Claim, tuple[str, str]] = {}

    def resolve(self, claim: Claim) -> tuple[str, str]:
        """Return (identity, instance); the instance is empty where none is named."""
        known = self._known.get(claim)
        if known is None:
            if len(self._known) >= _CACHE_LIMIT:
                self._known.clear()
            known = self._known[claim] = self._make(claim)
        return known

    def _make(self, claim: Claim) -> tuple[str, str]:
        parts = [part for part in claim.service.split("/") if part.strip()]
        instance = claim.instance
        if len(parts) > 3:
            instance = instance or "/".join(parts[3:])
            parts = parts[:3]
        padded = [""] * (3 - len(parts)) + parts
        stated = (padded[0] or claim.environment, padded[1] or claim.namespace, padded[2])
        chosen = [
            self._fit(word, limit) or default
            for word, limit, default in zip(stated, _LIMITS, self._defaults, strict=True)
        ]
        return "/".join(chosen), self._redactor.redact(instance.strip()[:_INSTANCE_LIMIT])

    def _fit(self, word: str, limit: int) -> str:
        safe = self._redactor.redact(word.strip())
        return _UNFIT.sub("-", safe).strip("-")[:limit]


def claim_of_key(key: bytes | None) -> Claim:
    """Read a raw key, `environment/namespace/service/instance` or the last parts of it."""
    if not key:
        return Claim()
    text = key.decode("utf-8", "replace")
    return Claim(service=text) if text.isprintable() else Claim()


_HEADER_FIELDS = {
    "opspilot-service": "service",
    "service": "service",
    "service.name": "service",
    "opspilot-instance": "instance",
    "service.instance.id": "instance",
    "service.namespace": "namespace",
    "deployment.environment": "environment",
    "deployment.environment.name": "environment",
}


def claim_of_headers(headers: Headers) -> Claim:
    """Read the writer from headers, if they name one."""
    found: dict[str, str] = {}
    for name, value in headers:
        part = _HEADER_FIELDS.get(name.lower())
        if part is not None and value and part not in found:
            found[part] = value.decode("utf-8", "replace")
    return Claim(**found)


def first_claim(claims: list[Claim]) -> Claim:
    """Take each part from the first claim that states it."""
    merged = Claim()
    for claim in claims:
        merged = Claim(*(mine or theirs for mine, theirs in zip(merged, claim, strict=True)))
    return merged
