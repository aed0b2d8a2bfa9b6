"""All that analyze remembers of one service, and its bytes.

Comes in: structs that windows, baselines, detectors and conditions change. Goes out: msgpack
without field names, a few kilobytes for tens of shapes. Promise: every list and map in it is
bounded by AnalyzeRules; unreadable bytes are an error, never an empty state.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from streams.errors import DecodeError

STATE_FORMAT = 3


@dataclass(frozen=True, slots=True)
class AnalyzeRules:
    """Bounds and durations of analysis; milliseconds of event time unless a name says else."""

    allowed_lateness_ms: int = 5_000
    max_open_slots: int = 4_096
    max_shapes: int = 1_000
    clear_after_ms: int = 300_000
    max_conditions: int = 20
    max_quiet_slots: int = 360
    """Slots without lines that are judged one by one; a longer gap is stepped over."""


class Example(msgspec.Struct, array_like=True, order=True, frozen=True):
    """One line of a shape; the least ranks are kept, so merging in any order gives the same."""

    rank: int
    offset: int
    source: str
    """Raw topic and partition, `topic|partition`."""
    time_ms: int
    text: str


class SlotShape(msgspec.Struct, array_like=True):
    """What one shape did in one open slot."""

    count: int = 0
    last_ms: int = 0
    examples: list[Example] = []
    histogram: list[int] = []


class Slot(msgspec.Struct, array_like=True):
    """The merged digests of one slot that is not yet judged."""

    events: int = 0
    other: int = 0
    last_ms: int = 0
    appended_ms: int = 0
    shapes: dict[str, SlotShape] = {}
    instances: list[str] = []
    merged: dict[str, int] = {}
    """Up to which offset each raw partition's digests are in it: a repeat is not merged again."""


class Wording(msgspec.Struct, array_like=True, frozen=True):
    """What a shape is, as its digests say it."""

    shape_id: str
    text: str
    level: str | None = None
    status_class: int | None = None


class Mark(msgspec.Struct, array_like=True):
    """How far one raw partition has been applied to this service, and what was counted."""

    first: int
    from_offset: int
    to_offset: int
    last_slot_ms: int
    appended_ms: int
    clock_ms: int = 0
    """Event time up to which the partition's lines of this service are here."""
    batch_clock_ms: int = 0
    """The same once the last digest of the batch at hand is applied; which one it is, none says."""
    disorder_ms: int = 0
    counted: int = 0
    late: int = 0
    dead_lettered: int = 0
    events: int = 0


class ShapeState(msgspec.Struct, array_like=True):
    """What is usual for one shape."""

    wording: Wording
    problem: float
    severity: float
    """Mean rank of the severities that the classifier sees: 0 low to 3 critical."""
    weight: float
    """What one line adds to the suspicion that something is wrong; 0 for routine lines."""
    first_slot_ms: int
    last_slot_ms: int
    slots: int = 0
    mass: float = 0.0
    mass_squared: float = 0.0
    recent: int = 0
    """Lines since the last pause of more than a minute."""
    latency_slots: int = 0
    latency_mean: float = 0.0
    latency_variance: float = 0.0
    latency_high: int = 0
    """Slots in a row whose durations were far above the usual."""


class ServiceBaseline(msgspec.Struct, array_like=True):
    """What is usual for the service as a whole."""

    first_slot_ms: int = -1
    mass: float = 0.0
    mass_squared: float = 0.0
    errors: float = 0.0
    present: float = 0.0
    longest_gap: int = 0
    quiet_run: int = 0
    low_run: int = 0
    recent_errors: float = 0.0
    recent_total: float = 0.0
    suspicion: float = 0.0
    suspicion_slot_ms: int = 0


class ConditionShape(msgspec.Struct, array_like=True):
    """One shape's part in a condition."""

    wording: Wording
    problem: float
    count: int = 0
    examples: list[Example] = []


class ConditionState(msgspec.Struct, array_like=True):
    """One open condition; counts are cumulative since it opened."""

    kind: str
    subject: str
    opened_ms: int
    last_slot_ms: int
    """The last slot that spoke for it."""
    last_ms: int
    score: float
    observed: float
    expected: float
    unit: str
    statement: str
    sequence: int = 0
    count: int = 0
    told: int = 0
    """The count that was told last."""
    steps: int = 0
    """Steps of the schedule of updates that are done."""
    shapes: dict[str, ConditionShape] = {}
    ties: list[str] = []
    appended_ms: int = 0
    recovered: int = 0
    """Slots in a row in which a drop or silence was over."""


class ServiceState(msgspec.Struct, array_like=True):
    """Everything of one service."""

    service: str
    partition: int = 0
    """The partition of the digests topic in which the service is told of."""
    format: int = STATE_FORMAT
    marks: dict[str, Mark] = {}
    wordings: dict[str, Wording] = {}
    """Of the shapes in open slots."""
    open: dict[int, Slot] = {}
    next_slot_ms: int = -1
    """The first slot not yet judged; -1 before the first one was."""
    last_line_slot_ms: int = -1
    shapes: dict[str, ShapeState] = {}
    baseline: ServiceBaseline = msgspec.field(default_factory=ServiceBaseline)
    conditions: dict[str, ConditionState] = {}
    first_appended_ms: int = 0
    appended_ms: int = 0


class _OpenSlot(msgspec.Struct, array_like=True):
    """One open slot as it is kept: by itself, with the wording of its shapes."""

    slot: Slot
    wordings: dict[str, Wording]


_ENCODER = msgspec.msgpack.Encoder()
_STATE_DECODER = msgspec.msgpack.Decoder(ServiceState, strict=False)
_SLOT_DECODER = msgspec.msgpack.Decoder(_OpenSlot, strict=False)


def encode_state(state: ServiceState) -> bytes:
    """Return the state without its open slots, so that its size does not grow with a backlog."""
    whole = state.open, state.wordings
    state.open, state.wordings = {}, {}
    try:
        return _ENCODER.encode(state)
    finally:
        state.open, state.wordings = whole


def encode_slot(state: ServiceState, slot_ms: int) -> bytes:
    """Return one open slot."""
    slot = state.open[slot_ms]
    return _ENCODER.encode(_OpenSlot(slot, {key: state.wordings[key] for key in slot.shapes}))


def decode_state(body: bytes, slots: Iterable[tuple[int, bytes]] = ()) -> ServiceState:
    """Read a state and its open slots; raises DecodeError when the bytes are of another format.

    Slots that the state has judged already are left out: they only await their removal.
    """
    try:
        state = _STATE_DECODER.decode(body)
        found = {slot_ms: _SLOT_DECODER.decode(slot) for slot_ms, slot in slots}
    except msgspec.DecodeError as error:
        raise DecodeError("invalid-state", f"a state of analyze cannot be read: {error}") from None
    if state.format != STATE_FORMAT:
        raise DecodeError(
            "invalid-state", f"a state of analyze has format {state.format}, not {STATE_FORMAT}"
        )
    for slot_ms in sorted(found):
        if slot_ms >= state.next_slot_ms:
            state.open[slot_ms] = found[slot_ms].slot
            state.wordings |= found[slot_ms].wordings
    return state
