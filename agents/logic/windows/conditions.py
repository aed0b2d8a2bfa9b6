"""The life of conditions: opened, updated at growing intervals, cleared; each step a Finding.

Comes in: the signals of a closed slot and the lines that speak for what is open. Goes out: findings
in an order that content decides. Promise: bounded per service; ids from service, kind, subject and
opening slot; counts are cumulative; the step 20 s after opening always comes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from agents.logic.windows.detectors import Seen, Signal
from agents.logic.windows.slots import EXAMPLES_KEPT, fullest_first, least
from agents.logic.windows.state import (
    AnalyzeRules,
    ConditionShape,
    ConditionState,
    Example,
    ServiceState,
    Slot,
)
from agents.logic.windows.ties import MAX_TIES, hosts_of, ties_of
from schemas.digest import RawRange
from schemas.finding import Finding, ShapeEvidence
from schemas.ids import content_id
from schemas.vocabulary import FindingKind, FindingPhase, Level

SETTLE_MS = 20_000
STEPS_MS = (SETTLE_MS, 60_000, 300_000, 900_000, 3_600_000)
"""Times since opening at which an open condition is told again; the last one repeats."""
MAX_SHAPES = 6
MAX_SOURCES = 8
_RECOVERED_SLOTS = 2


def follow(
    state: ServiceState, slot_ms: int, slot: Slot, seen: Sequence[Seen], signals: Iterable[Signal],
    rules: AnalyzeRules,
) -> list[Finding]:  # fmt: skip
    """Take one closed slot into all conditions of a service; returns the steps that it made."""
    by_key = {one.key: one for one in seen}
    signalled = {f"{signal.kind}:{signal.subject}": signal for signal in signals}
    for name, condition in state.conditions.items():
        _support(condition, signalled.get(name), by_key, slot_ms, slot)
    findings = list(_clear(state, slot_ms, slot, signalled, rules))
    findings += _open(state, slot_ms, slot, by_key, signalled, rules)
    for condition in state.conditions.values():
        findings += _tell(state.service, condition, slot_ms)
    return sorted(findings, key=lambda f: (-f.score, f.condition_id, f.sequence))


def finish(state: ServiceState, slot_ms: int) -> list[Finding]:
    """Tell what is untold at the end of the input, as of the slot that ended it."""
    findings = []
    for condition in state.conditions.values():
        if condition.count != condition.told:
            findings.append(_step(state.service, condition, FindingPhase.UPDATED, slot_ms))
    return sorted(findings, key=lambda f: (-f.score, f.condition_id, f.sequence))


def settle_slot_ms(state: ServiceState) -> int:
    """Return the last slot that some condition still waits for in order to be settled; or -1."""
    waiting = [c.opened_ms + SETTLE_MS for c in state.conditions.values() if not c.steps]
    return max(waiting, default=-1)


def open_subjects(state: ServiceState) -> set[str]:
    """Return the shapes that open conditions are about."""
    return {key for condition in state.conditions.values() for key in condition.shapes}


def _support(
    condition: ConditionState,
    signal: Signal | None,
    by_key: dict[str, Seen],
    slot_ms: int,
    slot: Slot,
) -> None:
    """Add the slot's lines to a condition that is open."""
    kind = FindingKind(condition.kind)
    if kind.is_absence:
        condition.recovered = 0 if signal else condition.recovered + 1
        if signal:
            condition.last_slot_ms = slot_ms
            condition.observed = signal.observed
        return
    if kind in (FindingKind.LATENCY, FindingKind.ERROR_RATIO) and signal is None:
        return
    if signal is not None:
        condition.score = max(condition.score, signal.score)
        if signal.observed > condition.observed:
            condition.observed, condition.statement = signal.observed, signal.statement
    keys = dict.fromkeys((*condition.shapes, *(signal.keys if signal else ())))
    for key in keys:
        if key in by_key:
            _count(condition, by_key[key], by_key[key].slot.count, slot_ms, slot)


def _count(condition: ConditionState, one: Seen, count: int, slot_ms: int, slot: Slot) -> None:
    held = condition.shapes.get(one.key)
    if held is None:
        if len(condition.shapes) >= MAX_SHAPES:
            return
        held = condition.shapes[one.key] = ConditionShape(one.shape.wording, one.shape.problem)
    held.count += count
    held.examples = least(held.examples, one.slot.examples, EXAMPLES_KEPT)
    condition.count += count
    condition.last_slot_ms = slot_ms
    condition.last_ms = max(condition.last_ms, one.slot.last_ms)
    condition.appended_ms = max(condition.appended_ms, slot.appended_ms)


def _open(
    state: ServiceState,
    slot_ms: int,
    slot: Slot,
    by_key: dict[str, Seen],
    signalled: dict[str, Signal],
    rules: AnalyzeRules,
) -> Iterator[Finding]:
    about = open_subjects(state)
    for name, signal in signalled.items():
        shape_is_open = signal.subject in about and signal.kind is not FindingKind.LATENCY
        if name in state.conditions or shape_is_open:
            continue
        if len(state.conditions) >= rules.max_conditions:
            return
        condition = ConditionState(
            signal.kind, signal.subject, slot_ms, slot_ms, slot.last_ms or slot_ms, signal.score,
            signal.observed, signal.expected, signal.unit, signal.statement,
        )  # fmt: skip
        for key in signal.keys:
            one = by_key[key]
            _count(condition, one, max(one.slot.count, one.shape.recent), slot_ms, slot)
        texts = [e.text for s in condition.shapes.values() for e in s.examples]
        condition.ties = sorted(ties_of(texts) | hosts_of(slot.instances))[:MAX_TIES]
        condition.appended_ms = max(
            condition.appended_ms, state.appended_ms if not slot.events else 0
        )
        state.conditions[name] = condition
        yield _finding(state.service, condition, FindingPhase.OPENED, slot_ms)
        condition.told = condition.count


def _tell(service: str, condition: ConditionState, slot_ms: int) -> Iterator[Finding]:
    """Yield the update that is due, if one is; the first one comes whether or not there is news."""
    lasted_ms = slot_ms - condition.opened_ms
    done = condition.steps
    while lasted_ms >= _due_ms(done):
        done += 1
    if done == condition.steps:
        return
    first = not condition.steps
    condition.steps = done
    if first or condition.count != condition.told:
        yield _step(service, condition, FindingPhase.UPDATED, slot_ms)


def _due_ms(steps: int) -> int:
    """Return when, after its opening, a condition is told for the next time."""
    if steps < len(STEPS_MS):
        return STEPS_MS[steps]
    return STEPS_MS[-1] * (steps - len(STEPS_MS) + 2)


def _clear(
    state: ServiceState,
    slot_ms: int,
    slot: Slot,
    signalled: dict[str, Signal],
    rules: AnalyzeRules,
) -> Iterator[Finding]:
    for name, condition in list(state.conditions.items()):
        if FindingKind(condition.kind).is_absence:
            over = condition.recovered >= _RECOVERED_SLOTS and slot.events > 0
        else:
            over = slot_ms - condition.last_slot_ms >= rules.clear_after_ms
        if over and name not in signalled:
            yield _step(state.service, condition, FindingPhase.CLEARED, slot_ms)
            del state.conditions[name]


def _step(service: str, condition: ConditionState, phase: FindingPhase, slot_ms: int) -> Finding:
    condition.sequence += 1
    condition.told = condition.count
    return _finding(service, condition, phase, slot_ms)


def _finding(service: str, condition: ConditionState, phase: FindingPhase, slot_ms: int) -> Finding:
    fingerprint = content_id(service, condition.kind, condition.subject)
    condition_id = content_id(service, condition.kind, fingerprint, condition.opened_ms)
    ranked = sorted(
        condition.shapes.items(), key=lambda item: (-item[1].problem, -item[1].count, item[0])
    )
    return Finding(
        id=content_id(condition_id, phase, condition.sequence),
        condition_id=condition_id,
        service=service,
        kind=FindingKind(condition.kind),
        phase=phase,
        sequence=condition.sequence,
        fingerprint=fingerprint,
        opened_ms=condition.opened_ms,
        slot_ms=slot_ms,
        last_ms=condition.last_ms,
        count=condition.count,
        observed=condition.observed,
        expected=condition.expected,
        unit=condition.unit,
        score=condition.score,
        statement=condition.statement,
        shapes=tuple(_evidence(shape) for _key, shape in ranked),
        ties=tuple(condition.ties),
        sources=_sources(e for shape in condition.shapes.values() for e in shape.examples),
        appended_ms=condition.appended_ms,
    )


def _evidence(shape: ConditionShape) -> ShapeEvidence:
    wording = shape.wording
    return ShapeEvidence(
        shape_id=wording.shape_id,
        shape=wording.text,
        level=Level(wording.level) if wording.level else None,
        status_class=wording.status_class,
        count=shape.count,
        problem=round(min(1.0, max(0.0, shape.problem)), 4),
        examples=tuple(example.text for example in fullest_first(shape.examples)),
    )


def _sources(examples: Iterable[Example]) -> tuple[RawRange, ...]:
    """Return where the example lines stand: offsets of lines, so no batching shows in them."""
    offsets: dict[str, list[int]] = defaultdict(list)
    for example in examples:
        offsets[example.source].append(example.offset)
    ranges = []
    for source in sorted(offsets)[:MAX_SOURCES]:
        topic, _, partition = source.rpartition("|")
        ranges.append(
            RawRange(
                topic=topic,
                partition=int(partition),
                from_offset=min(offsets[source]),
                to_offset=max(offsets[source]) + 1,
            )
        )
    return tuple(ranges)
