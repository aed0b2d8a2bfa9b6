"""Which trace a slot's lines belong to."""

from agents.slot_traces import SlotTraces


def test_the_last_digest_of_a_slot_names_its_trace():
    traces = SlotTraces()
    traces.note("a/b/c", 0, "first")
    traces.note("a/b/c", 0, "last")
    traces.note("a/b/c", 10_000, "later")
    traces.note("a/b/d", 0, "other")
    traces.note("a/b/c", 0, None)
    assert traces.of("a/b/c", 0) == "last"
    assert traces.of("a/b/c", 10_000) == "later"
    assert traces.of("a/b/d", 0) == "other"
    assert traces.of("a/b/c", 20_000) is None


def test_what_was_told_of_longest_ago_is_forgotten_first():
    traces = SlotTraces(most_slots=2)
    for slot in (0, 1, 0, 2):
        traces.note("a", slot, f"t{slot}")
    assert [traces.of("a", slot) for slot in (0, 1, 2)] == ["t0", None, "t2"]
