"""From votes to a score, and from a score to one request per episode."""

import json
import math

import pytest

from agents.logic.drift.judgements import RECENT, Arm, Judgements
from agents.logic.drift.learning import Roles, Scene, drop_vote, take_vote
from agents.logic.drift.state import DriftRules, DriftState, Vote, Waiting
from agents.logic.drift.statistics import (
    difference_interval,
    population_stability,
    wilson_interval,
)
from agents.logic.drift.trigger import training_time_ms
from schemas.learning import Feedback, ModelRelease, ModelRole, TrainingState
from schemas.vocabulary import Category

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOW_MS = 20_000 * DAY_MS
RULES = DriftRules(max_per_person=500)
ARM = Arm("m", None)


def vote(number: int, wrong: bool, voice: str = "v", arm: Arm = ARM, given_ms: int = NOW_MS):
    return Vote(
        f"i{number}", voice, f"i{number}/{voice}", arm.model, arm.adapter,
        Category.NETWORK, wrong, given_ms, number,
    )  # fmt: skip


def judged(incident: str, revision: int = 1, **judge: object) -> bytes:
    return json.dumps(
        {
            "incidentId": incident,
            "revision": revision,
            "category": judge.pop("category", "Network"),
            "severity": "high",
            "abstained": judge.pop("abstained", False),
            "judge": {"backend": "tgi", "model": "m", "latencyMs": 1.5} | judge,
        }
    ).encode()


def scene(
    rules: DriftRules = RULES,
    now_ms: int = NOW_MS,
    roles: Roles | None = None,
    judgements: Judgements | None = None,
) -> Scene:
    return Scene(roles or Roles(), judgements or Judgements(10), now_ms, rules)


def feed(state: DriftState, votes, where: Scene):
    effects = []
    for one in votes:
        state, effect = take_vote(state, one, where)
        effects.append(effect)
    return state, effects


def stream(count: int, wrong_of_ten: int, first: int = 0, **options: object) -> list[Vote]:
    return [vote(first + n, n % 10 < wrong_of_ten, **options) for n in range(count)]


# --- statistics


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662), (10, 10, 0.7225, 1)],
)
def test_wilson_interval_is_as_published(hits: int, total: int, low: float, high: float):
    assert wilson_interval(hits, total) == pytest.approx((low, high), abs=5e-5)


def test_an_interval_of_nothing_knows_nothing():
    assert wilson_interval(0, 0) == (0.0, 1.0)
    low, high = difference_interval(0, 0, 5, 10, 1.96)
    assert low < 0 < high


def test_newcombe_interval_is_as_published():
    # Newcombe 1998, table II, method 10: 56/70 less 48/80, and 9/10 less 3/10.
    assert difference_interval(56, 70, 48, 80, 1.959964) == pytest.approx(
        (0.0524, 0.3339), abs=5e-5
    )
    assert difference_interval(9, 10, 3, 10, 1.959964) == pytest.approx((0.1705, 0.8090), abs=5e-5)


def test_population_stability_is_zero_for_like_and_finite_for_new_classes():
    assert population_stability({"a": 30, "b": 70}, {"a": 30, "b": 70}) == pytest.approx(0.0)
    moved = population_stability({"a": 50, "b": 50}, {"a": 90, "b": 10})
    assert moved == pytest.approx(0.4 * math.log(9), rel=0.1)
    assert 0.25 < population_stability({"a": 100}, {"b": 100}) < math.inf
    assert population_stability({}, {"a": 3}) == 0.0


# --- who judged what


def word(incident: str, revision: int, model: str = "claimed") -> Feedback:
    return Feedback(
        incident_id=incident, revision=revision, person="ana", given_ms=1, model=model, adapter="x"
    )


def test_a_word_counts_for_the_model_of_its_revision_whatever_it_claims():
    known = Judgements(10)
    known.learn(judged("i1", 1, adapter="old"), 1)
    known.learn(judged("i1", 2, adapter="new"), 2)
    assert known.find(word("i1", 1)).arm == Arm("m", "old")
    assert known.find(word("i1", 2)).arm == Arm("m", "new")
    assert known.find(word("i1", 3)) is None, "that revision is not judged yet"
    assert known.find(word("i2", 1)) is None


def test_of_a_revision_that_compaction_removed_the_word_itself_says_the_model():
    known = Judgements(10)
    known.learn(judged("i1", 4), 1)
    found = known.find(word("i1", 2))
    assert (found.arm, found.category) == (Arm("claimed", "x"), None)


def test_memory_is_bounded_and_what_is_no_verdict_changes_nothing():
    known = Judgements(2)
    for value in (None, b"{", b'{"incidentId":"i9"}', judged("i0"), judged("i1"), judged("i2")):
        known.learn(value, 1)
    assert [known.find(word(f"i{n}", 1)) is not None for n in (0, 1, 2, 9)] == [
        False, True, True, False,
    ]  # fmt: skip


def test_who_serves_is_the_latest_champion_that_was_no_fallback():
    known = Judgements(9)
    known.learn(judged("i1"), 5)
    known.learn(judged("i2", model="baseline", fallbackReason="breaker open"), 6)
    known.learn(judged("i3", model="n", variant="challenger"), 7)
    known.learn(judged("i4", model="older"), 4)  # another partition, read later
    assert known.serving.arm == ARM


def test_a_shift_of_categories_and_abstentions_are_noticed():
    known = Judgements(5_000)
    for number in range(1_000):
        late = number >= 1_000 - RECENT
        category = "Security" if late else ("Network", "Database")[number % 2]
        known.learn(judged(f"i{number}", category=category, abstained=number % 4 == 0), number)
    assert known.category_shift(ARM) > 0.25
    assert known.abstention_rate(ARM) == 0.25
    assert known.category_shift(Arm("nobody", None)) == 0.0


# --- the score


def test_the_score_is_the_share_called_wrong_with_its_interval_and_categories():
    votes = stream(40, 3)
    security = vote(90, True)
    security = Vote(*[getattr(security, f) if f != "category" else Category.SECURITY
                      for f in security.__struct_fields__])  # fmt: skip
    _, effects = feed(DriftState(), [*votes, security], scene())
    (score,) = effects[-1].scores
    assert (score.samples, score.people) == (41, 1)
    assert score.score == score.error_rate == pytest.approx(13 / 41, abs=1e-6)
    assert score.error_rate_low < score.score < score.error_rate_high
    assert score.errors_by_category == {Category.NETWORK: 0.3, Category.SECURITY: 1.0}


def test_the_latest_word_of_a_voice_on_an_incident_counts():
    state, _ = feed(DriftState(), [vote(1, True), vote(2, True)], scene())
    later = vote(1, False, given_ms=NOW_MS + 1)
    state, effects = feed(state, [later], scene())
    assert (effects[0].scores[0].samples, effects[0].scores[0].score) == (2, 0.5)
    # An old signed word that somebody sends again does not undo a newer one.
    assert take_vote(state, vote(1, True), scene())[0] is state


def test_a_word_on_a_later_revision_moves_from_one_model_to_the_other():
    state, _ = feed(DriftState(), [vote(1, True)], scene())
    moved = vote(1, False, arm=Arm("m", "new"), given_ms=NOW_MS + 1)
    _, (effect,) = feed(state, [moved], scene())
    assert [(s.adapter, s.samples) for s in effect.scores] == [("new", 1), (None, 0)]


def test_each_voice_counts_up_to_a_bound_and_never_pushes_others_out():
    rules = DriftRules(max_per_person=10, window_samples=30)
    honest = [vote(n, False, voice=f"v{n % 4}") for n in range(16)]
    flood = [vote(1_000 + n, True, voice="eve", given_ms=NOW_MS + n) for n in range(200)]
    state, effects = feed(DriftState(), [*honest, *flood], scene(rules))
    assert effects[-1].scores[0].samples == 26
    assert effects[-1].scores[0].score == pytest.approx(10 / 26, abs=1e-6)
    assert len(state.votes) == 26


def test_old_words_leave_the_window():
    old = stream(20, 10, given_ms=NOW_MS - 31 * DAY_MS)
    _, effects = feed(DriftState(), [*old, vote(99, False)], scene())
    assert (effects[-1].scores[0].samples, effects[-1].scores[0].score) == (1, 0.0)


def test_what_is_taken_back_counts_no_more():
    state, _ = feed(DriftState(), stream(10, 5), scene())
    after, effects = drop_vote(state, state.votes[0], scene())
    assert (effects.scores[0].samples, effects.scores[0].score) == (
        9,
        pytest.approx(4 / 9, abs=1e-6),
    )
    assert drop_vote(after, None, scene())[1].scores == ()


def test_nothing_of_an_erased_person_stays():
    waits = Waiting(b"i7/ana", b'{"person":"ana"}', 9, NOW_MS, "ana")
    state, _ = feed(DriftState(waiting=(waits,)), stream(3, 0, voice="ana"), scene())
    for key in ("i0/ana", "i1/ana", "i2/ana", "i7/ana"):
        state = state.without_author(key)
    assert b"ana" not in state.to_bytes()


def test_the_state_survives_its_bytes():
    state, _ = feed(DriftState(), stream(60, 4), scene())
    assert DriftState.from_bytes(state.to_bytes()) == state


# --- the trigger


def requests(effects) -> list[int]:
    return [number for number, effect in enumerate(effects, 1) if effect.request is not None]


def test_one_request_at_the_fiftieth_sample_and_none_more_in_the_episode():
    _, effects = feed(DriftState(), stream(200, 4), scene())
    assert requests(effects) == [50]
    assert {e.results[0].triggered for e in effects[:49]} == {False}
    result, request = effects[49].results[0], effects[49].request
    assert result.triggered
    assert (result.state, result.feedback_count) == (TrainingState.SCHEDULED, 50)
    assert (request.id, request.scheduled_ms) == (result.request_id, result.scheduled_time)
    assert request.drift == 0.4
    assert effects[3].results[0].reason == "4 of the 50 samples needed"
    assert request.id in effects[120].results[0].reason


def test_a_good_model_is_left_alone():
    _, effects = feed(DriftState(), stream(50, 2), scene())
    assert requests(effects) == [], "0.2 is not above 0.2"
    assert effects[49].results[0].reason == "drift score 0.200, threshold 0.2"
    assert requests(feed(DriftState(), stream(150, 1), scene())[1]) == []


def test_the_confident_policy_waits_until_the_lower_bound_is_above():
    sure = DriftRules(max_per_person=500, confident=True)
    _, effects = feed(DriftState(), stream(300, 3), scene(sure))
    (first,) = requests(effects)
    votes = first
    low, _ = wilson_interval(round(effects[first - 1].request.drift * votes), votes)
    assert low > 0.2
    assert first > 50
    _, effects = feed(DriftState(), stream(300, 3), scene())
    assert requests(effects) == [50]


def test_the_same_words_ask_by_the_same_name():
    one = feed(DriftState(), stream(60, 4), scene())[1][49].request
    again = feed(DriftState(), stream(60, 4), scene(now_ms=NOW_MS + 5_000))[1][49].request
    assert one.id == again.id


def test_a_new_episode_needs_new_evidence_and_an_end_of_the_cool_down():
    state, _ = feed(DriftState(), stream(60, 4), scene())
    soon = scene(now_ms=NOW_MS + HOUR_MS)
    state, effects = feed(state, stream(100, 4, first=100, given_ms=NOW_MS + HOUR_MS), soon)
    assert requests(effects) == []
    later = scene(now_ms=NOW_MS + 25 * HOUR_MS)
    state, effects = feed(state, stream(1, 4, first=300, given_ms=NOW_MS + 25 * HOUR_MS), later)
    assert requests(effects) == [1], "a hundred more words and a day later it still drifts"


def test_after_recovery_it_may_ask_again_but_not_within_the_cool_down():
    rules = DriftRules(max_per_person=500, window_samples=60)
    state, _ = feed(DriftState(), stream(60, 4), scene(rules))
    state, effects = feed(state, stream(60, 0, first=100, given_ms=NOW_MS + 1), scene(rules))
    assert not state.episodes[0].open
    state, effects = feed(state, stream(60, 9, first=200, given_ms=NOW_MS + 2), scene(rules))
    assert requests(effects) == []
    assert "cooling down until" in effects[-1].results[0].reason
    later = scene(rules, now_ms=NOW_MS + 25 * HOUR_MS)
    _, effects = feed(state, stream(1, 9, first=300, given_ms=NOW_MS + 3), later)
    assert requests(effects) == [1]


def test_who_does_not_serve_is_not_trained():
    champion = ModelRelease(
        role=ModelRole.CHAMPION, backend="tgi", model="m", adapter="now", released_ms=1
    )
    _, effects = feed(DriftState(), stream(60, 9), scene(roles=Roles(champion)))
    assert requests(effects) == []
    assert effects[-1].results[0].reason == "m does not serve any more"
    serving = stream(60, 9, arm=Arm("as the server calls it", "now"))
    _, effects = feed(DriftState(), serving, scene(roles=Roles(champion)))
    assert requests(effects) == [50]


@pytest.mark.parametrize(
    ("now_hour", "hours", "wanted_hour"),
    [
        (13, None, 13),
        (13, (8, 8), 13),
        (13, (22, 6), 22),
        (23, (22, 6), 23),
        (5, (22, 6), 5),
        (6, (22, 6), 22),
        (13, (9, 17), 13),
        (18, (9, 17), 33),
    ],
)
def test_training_begins_at_an_hour_that_suits(now_hour: int, hours, wanted_hour: int):
    begun = training_time_ms(NOW_MS + now_hour * HOUR_MS, hours)
    assert begun == NOW_MS + wanted_hour * HOUR_MS
