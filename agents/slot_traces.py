"""Which trace the lines of a slot belong to, from the time they come until the slot is judged.

Comes in: the trace context of each digest. Goes out: that of the last digest of a finding's slot.
Promise: kept in memory and bounded, since nothing but traces depends on it: after a restart slots
that were open go without.
"""

from collections import OrderedDict

MOST_SLOTS = 20_000


class SlotTraces:
    """The trace contexts of the slots told of last."""

    def __init__(self, most_slots: int = MOST_SLOTS) -> None:
        self._most = most_slots
        self._known: OrderedDict[tuple[str, int], str] = OrderedDict()

    def note(self, service: str, slot_ms: int, traceparent: str | None) -> None:
        """Remember whose lines came last; None tells nothing."""
        if traceparent is None:
            return
        self._known[service, slot_ms] = traceparent
        self._known.move_to_end((service, slot_ms))
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def of(self, service: str, slot_ms: int) -> str | None:
        """Return the trace context of a slot's lines; None where none is known."""
        return self._known.get((service, slot_ms))
