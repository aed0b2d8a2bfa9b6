"""Promotion and rollback from people's words; and what one hostile person can do about them."""

import random
from dataclasses import replace

import pytest

from agents.logic.drift.judgements import Arm, Judgements
from agents.logic.drift.learning import Roles, Scene, take_vote
from agents.logic.drift.release import Outcome, decide
from agents.logic.drift.state import DriftRules, DriftState, Vote, counted
from schemas.learning import ModelRelease, ModelRole, TrainingState

NOW_MS = 1_800_000_000_000
RULES = DriftRules()
CHAMPION = ModelRelease(
    role=ModelRole.CHAMPION, backend="openai", model="m", adapter="old", released_ms=1
)
CHALLENGER = ModelRelease(
    role=ModelRole.CHALLENGER, backend="openai", model="m", adapter="new", share=0.5, released_ms=2
)
OLD, NEW = Arm("m", "old"), Arm("m", "new")


def votes(count: int, wrong: int, voice: str = "ana", arm: Arm = NEW) -> list[Vote]:
    return [
        Vote(f"{voice}-{arm.adapter}-{n}", voice, f"{voice}{n}", *arm, None, n < wrong, NOW_MS, n)
        for n in range(count)
    ]


def people(count: int, each: int, wrong: int, arm: Arm) -> list[Vote]:
    return [vote for n in range(count) for vote in votes(each, wrong, f"p{n}", arm)]


@pytest.mark.parametrize(
    ("new", "old", "outcome"),
    [
        ((4, 5, 4), (4, 30, 3), Outcome.HOLD),  # 20 words are below the floor
        ((4, 20, 14), (4, 20, 2), Outcome.ROLL_BACK),
        ((4, 40, 4), (4, 40, 8), Outcome.PROMOTE),
        ((4, 10, 2), (4, 10, 2), Outcome.HOLD),  # level, but too little to be sure
        ((4, 45, 3), (4, 45, 3), Outcome.PROMOTE),
        ((4, 20, 4), (4, 20, 3), Outcome.HOLD),
        ((4, 20, 12), (1, 3, 0), Outcome.ROLL_BACK),  # surely above the threshold by itself
        ((4, 20, 0), (1, 3, 3), Outcome.HOLD),
    ],
)
def test_what_people_saw_decides(new, old, outcome: Outcome):
    assert decide(people(*new, NEW), people(*old, OLD), RULES).outcome is outcome


def test_one_person_alone_decides_nothing_unless_the_team_is_one():
    bad, good = votes(50, 45, arm=NEW), votes(50, 2, arm=OLD)
    held = decide(bad, good, RULES)
    assert held.outcome is Outcome.HOLD
    assert held.reason == (
        "45 of 50 verdicts called wrong, 2 of 50 of the model it is held against; "
        "but to roll back would rest on one person's word"
    )
    alone = replace(RULES, single_person=True)
    assert decide(bad, good, alone).outcome is Outcome.ROLL_BACK


def settle(state_votes: list[Vote], roles: Roles, last: Vote):
    known = Judgements(10)
    scene = Scene(roles, known, NOW_MS, RULES)
    return take_vote(DriftState(votes=tuple(state_votes)), last, scene)


def test_a_good_challenger_becomes_the_champion_once():
    told = people(4, 45, 2, NEW) + people(4, 45, 9, OLD)
    last = votes(1, 0, "p9", NEW)[0]
    state, effects = settle(told, Roles(CHAMPION, CHALLENGER), last)
    (role, promoted), (ended, nothing) = effects.releases
    assert (role, ended, nothing) == (ModelRole.CHAMPION, ModelRole.CHALLENGER, None)
    assert (promoted.role, promoted.adapter, promoted.share) == (ModelRole.CHAMPION, "new", 1.0)
    assert (promoted.previous_model, promoted.previous_adapter) == ("m", "old")
    assert effects.results[-1].state is TrainingState.PROMOTED
    assert promoted.reason == effects.results[-1].reason
    again = take_vote(state, votes(1, 0, "p8", NEW)[0],
                      Scene(Roles(CHAMPION, CHALLENGER), Judgements(1), NOW_MS, RULES))  # fmt: skip
    assert again[1].releases == ()


def test_a_bad_challenger_goes_and_the_champion_stays():
    told = people(4, 20, 14, NEW) + people(4, 20, 2, OLD)
    _, effects = settle(told, Roles(CHAMPION, CHALLENGER), votes(1, 1, "p9", NEW)[0])
    assert effects.releases == ((ModelRole.CHALLENGER, None),)
    assert effects.results[-1].state is TrainingState.ROLLED_BACK


def test_a_promotion_that_was_cut_off_is_ended():
    champion = CHALLENGER.model_copy(update={"role": ModelRole.CHAMPION})
    _, effects = settle([], Roles(champion, CHALLENGER), votes(1, 0)[0])
    assert effects.releases == ((ModelRole.CHALLENGER, None),)


def test_a_champion_that_turns_out_worse_goes_back_to_what_was_before():
    released = CHALLENGER.model_copy(
        update={
            "role": ModelRole.CHAMPION,
            "previous_backend": "baseline",
            "previous_model": "baseline-1",
            "previous_adapter": None,
        }
    )
    told = people(4, 20, 14, NEW) + people(4, 20, 2, Arm("baseline-1", None))
    _, effects = settle(told, Roles(released), votes(1, 1, "p9", NEW)[0])
    ((role, back),) = effects.releases
    assert (role, back.backend, back.model, back.adapter) == (
        ModelRole.CHAMPION, "baseline", "baseline-1", None,
    )  # fmt: skip
    assert back.previous_model is None, "there and back again would never end"
    first = Roles(released.model_copy(update={"previous_model": None}))
    assert settle(told, first, votes(1, 1, "p9", NEW)[0])[1].releases == ()


# --- poison: three of ten words are those of one hostile person


def hostile_words(seed: int, new_error: float, strategy: str, words: int = 400) -> Outcome:
    """Let five honest people and a hostile one speak of two models; return what comes of it.

    Looked at after every fifth word, as the stage does after each; each voice's words are capped.
    """
    rng = random.Random(seed)
    told: dict[Arm, list[Vote]] = {OLD: [], NEW: []}
    for number in range(words):
        arm = rng.choice([OLD, NEW])
        if rng.random() < 0.3:
            voice = "eve"
            wrong = {
                "against the challenger": arm is NEW,
                "against the champion": arm is OLD,
                "against both": True,
                "for both": False,
            }[strategy]
        else:
            voice = f"p{rng.randrange(5)}"
            wrong = rng.random() < (0.1 if arm is OLD else new_error)
        vote = Vote(f"i{number}", voice, f"i{number}", *arm, None, wrong, NOW_MS, number)
        told[arm].append(vote)
        if number % 5 == 0:
            decision = decide(counted(told[NEW], RULES), counted(told[OLD], RULES), RULES)
            if decision.outcome is not Outcome.HOLD:
                return decision.outcome
    return Outcome.HOLD


STRATEGIES = ["against the challenger", "against the champion", "against both", "for both"]
SEEDS = 60


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_hostile_person_does_not_move_the_champion_to_a_worse_model(strategy: str):
    found = [hostile_words(seed, 0.4, strategy) for seed in range(SEEDS)]
    assert Outcome.PROMOTE not in found


@pytest.mark.parametrize("strategy", ["against the challenger", "against both"])
def test_a_hostile_person_does_not_throw_out_a_good_challenger(strategy: str):
    found = [hostile_words(seed, 0.1, strategy) for seed in range(SEEDS)]
    assert Outcome.ROLL_BACK not in found


def test_without_that_rule_and_by_many_people_it_does_move():
    """The proofs above would be empty if nothing could be moved at all."""
    told = people(6, 30, 12, NEW) + people(6, 30, 3, OLD)
    assert decide(told[:180], told[180:], RULES).outcome is Outcome.ROLL_BACK
    trusting = replace(RULES, single_person=True)
    eve = votes(45, 45, "eve", NEW) + people(5, 20, 2, NEW)
    others = votes(45, 0, "eve", OLD) + people(5, 20, 2, OLD)
    assert decide(eve, others, trusting).outcome is Outcome.ROLL_BACK
    assert decide(eve, others, RULES).outcome is Outcome.HOLD
    moved = [hostile_words(seed, 0.6, "for both") for seed in range(20)]
    assert moved.count(Outcome.ROLL_BACK) >= 18
