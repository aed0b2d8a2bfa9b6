"""Shows each training event as production would: under other headers, with and without a service.

Comes in: an event. Goes out: a few views of it (text, level, service) with the event's labels kept.
Promise: a function of the event alone: the choice comes from a digest of the line, so that the
training set is the same on every machine.
"""

import hashlib
import random
from dataclasses import dataclass

from schemas.vocabulary import Level, Severity
from streams.shape.shaper import ShapeInfo
from training.corpus import Event

_WORDS: dict[Severity | None, tuple[tuple[Level, int], ...]] = {
    Severity.CRITICAL: ((Level.FATAL, 5), (Level.ERROR, 4), (Level.WARN, 1)),
    Severity.HIGH: ((Level.ERROR, 7), (Level.WARN, 2), (Level.FATAL, 1), (Level.INFO, 1)),
    Severity.MEDIUM: ((Level.ERROR, 5), (Level.WARN, 4), (Level.INFO, 1)),
    Severity.LOW: ((Level.WARN, 5), (Level.INFO, 3), (Level.ERROR, 2)),
    None: ((Level.INFO, 8), (Level.DEBUG, 2)),
}
_SPELLINGS: dict[Level, tuple[str, ...]] = {
    Level.FATAL: ("FATAL", "CRITICAL", "crit", "EMERG", "F"),
    Level.ERROR: ("ERROR", "error", "err", "ERR", "E", "SEVERE"),
    Level.WARN: ("WARN", "warning", "WARNING", "W"),
    Level.INFO: ("INFO", "info", "I", "NOTICE", "notice"),
    Level.DEBUG: ("DEBUG", "debug", "D", "TRACE"),
}
_PROGRAMS = (
    "app", "main", "worker-3", "server", "core", "agentd", "http-nio-8080-exec-4",
    "pool-2-thread-1", "com.example.shop.Orders", "controller", "scheduler", "gateway", "api",
    "io.acme.Runner",
)  # fmt: skip
_HEADERS = (
    "2026-03-{d:02d} {h:02d}:{m:02d}:{s:02d},{ms:03d} {level} [{program}] ",
    "2026-03-{d:02d}T{h:02d}:{m:02d}:{s:02d}.{ms:03d}Z {level} {program} - ",
    "[2026-03-{d:02d} {h:02d}:{m:02d}:{s:02d}] {program}.{level}: ",
    'time="2026-03-{d:02d}T{h:02d}:{m:02d}:{s:02d}Z" level={level} msg=',
    "{level} {h:02d}:{m:02d}:{s:02d} {program}: ",
    "[{h:02d}:{m:02d}:{s:02d}] [{program}/{level}] ",
    "Mar {d:2d} {h:02d}:{m:02d}:{s:02d} node{ms} {program}[{pid}]: ",
    "{pid}.{ms:03d} {program} ",
)


@dataclass(frozen=True, slots=True)
class View:
    """One way in which an event may reach the judge."""

    text: str
    level: Level | None
    service: str


def views_of(event: Event, shape: ShapeInfo) -> list[View]:
    """Return the event with its service, as its bare shape, and under a header.

    The header of the third view states a level that is usual, not certain, for the severity.
    """
    chance = random.Random(hashlib.sha256(event.line.encode()).digest())
    views = [
        View(event.line, shape.level, event.product),
        View(shape.text, shape.level, ""),
    ]
    if shape.level is None:
        header, stated = _header(event.severity, chance)
        views.append(View(header + event.line, stated, event.product))
    return views


def _header(severity: Severity | None, chance: random.Random) -> tuple[str, Level | None]:
    """Return a header and the level that it states, None where its form states none."""
    choices, weights = zip(*_WORDS[severity], strict=True)
    level = chance.choices(choices, weights)[0]
    form = chance.choice(_HEADERS)
    header = form.format(
        level=chance.choice(_SPELLINGS[level]),
        program=chance.choice(_PROGRAMS),
        d=chance.randint(1, 28),
        h=chance.randint(0, 23),
        m=chance.randint(0, 59),
        s=chance.randint(0, 59),
        ms=chance.randint(0, 999),
        pid=chance.randint(100, 32_000),
    )
    return header, level if "{level}" in form else None
