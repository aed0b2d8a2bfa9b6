import pytest

from schemas.learning import ModelRelease, ModelRole
from streams.errors import InputError
from training.roles import Candidate, Roles, promoted, read_roles, released, rolled_back

NEW = Candidate("openai", "gemma", "triage-2", "d2")


def champion(**fields) -> ModelRelease:
    given = {
        "role": ModelRole.CHAMPION,
        "backend": "openai",
        "model": "gemma",
        "adapter": "triage-1",
        "adapter_digest": "d1",
        "released_ms": 1,
    }
    return ModelRelease(**(given | fields))


def test_a_new_adapter_first_judges_a_share_and_the_champion_stays():
    ((role, release),) = released(NEW, Roles(champion()), 0.2, "better", 9)
    assert role is ModelRole.CHALLENGER
    assert (release.adapter, release.share, release.released_ms) == ("triage-2", 0.2, 9)


def test_a_whole_share_makes_it_the_champion_with_the_way_back():
    challenger = champion(role=ModelRole.CHALLENGER, adapter="triage-2", share=0.2)
    first, second = released(NEW, Roles(champion(), challenger), 1.0, "better", 9)
    assert first[1].previous_adapter == "triage-1"
    assert first[1].previous_adapter_digest == "d1"
    assert second == (ModelRole.CHALLENGER, None)


def test_without_a_champion_the_base_model_is_what_there_is_to_go_back_to():
    ((_, release),) = promoted(NEW, Roles(), "better", 9)
    assert (release.previous_model, release.previous_adapter) == ("gemma", None)
    ((_, back),) = rolled_back(Roles(release), "worse", 10)
    assert (back.model, back.adapter) == ("gemma", None)


def test_a_rollback_takes_the_challenger_out_first():
    challenger = champion(role=ModelRole.CHALLENGER, adapter="triage-2")
    roles = Roles(champion(previous_model="gemma"), challenger)
    assert rolled_back(roles, "worse", 10) == ((ModelRole.CHALLENGER, None),)


def test_with_nothing_to_go_back_to_it_says_so():
    with pytest.raises(InputError, match="nothing to go back to"):
        rolled_back(Roles(champion()), "worse", 10)


def test_the_champion_cannot_be_promoted_again():
    with pytest.raises(InputError, match="champion already"):
        promoted(Candidate("openai", "gemma", "triage-1", "d1"), Roles(champion()), "", 9)


def test_what_can_be_gone_back_to_stays_in_use():
    roles = Roles(champion(previous_model="gemma", previous_adapter="triage-0"))
    assert roles.in_use == {"triage-1", "triage-0"}


def test_roles_are_read_from_the_topic_and_strangers_ignored():
    content = {b"champion": champion().to_bytes(), b"challenger": b"{}", b"x": b"not json"}
    assert read_roles(content) == Roles(champion())
