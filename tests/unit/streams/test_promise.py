"""What ingest commits beside an offset, and how it says how far time is."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.ledger import IngestTotals
from streams.ingest.offsets import skip_expired
from streams.ingest.promise import PartitionState, add_totals, read_state

counts = st.integers(0, 2**53)
totals = st.builds(IngestTotals, **dict.fromkeys(IngestTotals.model_fields, counts))
states = st.builds(
    PartitionState,
    position=counts,
    promised_to=st.none() | st.integers(1, 2**53),
    start=counts,
    clock_ms=counts,
    appended_ms=counts,
    ended=st.booleans(),
    totals=totals,
)
NOW_MS = 1_800_000_000_000


@given(states)
def test_a_state_survives_its_metadata(state: PartitionState):
    metadata = state.metadata()
    assert read_state(state.position, metadata) == state
    assert len(metadata.encode()) < 4_096, "the broker takes no more"


def test_a_foreign_or_empty_metadata_is_a_fresh_start():
    for metadata in ("", "someone else's", "[1]", '{"to": "x"}'):
        assert read_state(7, metadata) == PartitionState(position=7, start=7)


def test_a_promise_is_kept_by_advancing():
    state = PartitionState(position=10, start=3, clock_ms=100, appended_ms=200)
    promised = state.promise(25)
    assert promised.position == 10
    assert read_state(10, promised.metadata()).promised_to == 25
    counted = IngestTotals(received=15, digested=14, dead_lettered=1)
    after = promised.advance(25, counted, clock_ms=90, appended_ms=250, ended=True)
    assert (after.position, after.promised_to, after.ended) == (25, None, True)
    assert after.clock_ms == 100, "time does not go back"
    assert after.appended_ms == 250
    again = after.advance(30, counted, clock_ms=120, appended_ms=260, ended=False)
    assert again.totals == add_totals(counted, counted)
    assert again.start == 3


def test_totals_add_up_field_by_field():
    one = IngestTotals(received=1, expired=2)
    assert add_totals(one, IngestTotals(received=3)) == IngestTotals(received=4, expired=2)


def told(state: PartitionState, end_offset: int, now_ms: int = NOW_MS):
    return state.progress("t", 0, end_offset=end_offset, now_ms=now_ms)


def test_a_partition_that_is_behind_stands_at_its_last_line():
    state = PartitionState(position=10, clock_ms=NOW_MS - 9_000, appended_ms=NOW_MS - 8_000)
    said = told(state, end_offset=11)
    assert not said.caught_up
    assert said.clock_ms == NOW_MS - 9_000


def test_a_partition_that_is_idle_goes_on_at_the_pace_of_the_clock():
    state = PartitionState(position=10, clock_ms=NOW_MS - 9_000, appended_ms=NOW_MS - 8_000)
    assert told(state, 10).caught_up
    assert told(state, 10).clock_ms == NOW_MS - 1_000, "a second behind, as its last line was"
    assert told(state, 10, NOW_MS + 500).clock_ms == NOW_MS - 500


def test_a_replay_of_old_lines_does_not_leap_to_the_present():
    state = PartitionState(position=10, clock_ms=1_000_000, appended_ms=NOW_MS - 3_000)
    assert told(state, 10).clock_ms == 1_003_000


def test_a_partition_that_never_had_a_line_is_at_the_present():
    assert told(PartitionState(position=0), 0).clock_ms == NOW_MS


def test_after_the_end_of_input_time_stands():
    state = PartitionState(position=10, clock_ms=5_000, appended_ms=NOW_MS - 3_000, ended=True)
    said = told(state, 10)
    assert said.ended
    assert said.clock_ms == 5_000


def test_what_retention_removed_is_counted_and_a_promise_behind_it_is_void():
    state = PartitionState(position=10, start=0, promised_to=15)
    assert skip_expired(state, 10) == state
    after = skip_expired(state, 20)
    assert (after.position, after.promised_to, after.totals.expired) == (20, None, 10)
    assert skip_expired(state, 12).promised_to == 15
