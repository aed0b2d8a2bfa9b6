"""Champion or challenger: by content alone, in the share that was asked for."""

from hypothesis import given
from hypothesis import strategies as st

from agents.routing import variant_of

IDS = [f"incident-{number}" for number in range(4_000)]


def test_nobody_and_everybody():
    assert {variant_of(name, 0.0) for name in IDS} == {"champion"}
    assert {variant_of(name, 1.0) for name in IDS} == {"challenger"}


def test_the_share_is_met():
    challenged = sum(variant_of(name, 0.2) == "challenger" for name in IDS)
    assert 0.17 < challenged / len(IDS) < 0.23


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_moves_incidents_only_one_way(name: str, one: float, other: float):
    small, large = sorted((one, other))
    if variant_of(name, small) == "challenger":
        assert variant_of(name, large) == "challenger"


def test_the_same_incident_goes_the_same_way_in_every_version():
    # Another way of hashing would send half of all open incidents to another model.
    assert [variant_of(f"i{number}", 0.5) == "challenger" for number in range(8)] == [
        False, True, True, False, False, True, False, True,
    ]  # fmt: skip
