from dataclasses import replace

import pytest
from judged_examples import answers, entrant, examples

from schemas.vocabulary import Category
from training.dataset.examples import Split
from training.gate import GateRules, decide
from training.judged import Entrant

TEST = examples(20)
CANARY = examples(2, Split.CANARY)


def ids(count: int, *categories: Category) -> set[str]:
    chosen = [e for e in TEST if not categories or e.category in categories]
    return {e.id for e in chosen[:: max(1, len(chosen) // count)][:count]}


def gate(candidate, serving=None, **rules):
    baseline = entrant("baseline", TEST, CANARY, ids(30), is_baseline=True)
    return decide(
        TEST,
        CANARY,
        candidate,
        serving or baseline,
        baseline,
        GateRules(**rules) if rules else None,
    )


def failed(decision) -> set[str]:
    return {check.name for check in decision.checks if not check.passed}


def test_a_clearly_better_candidate_passes_and_the_reason_says_by_how_much():
    decision = gate(entrant("new", TEST, CANARY), entrant("old", TEST, CANARY, ids(40)))
    assert decision.passed, decision.reason
    assert "40 gained, 0 lost" in decision.reason


def test_a_candidate_that_only_equals_who_serves_is_refused():
    decision = gate(entrant("new", TEST, CANARY, ids(5)), entrant("old", TEST, CANARY, ids(5)))
    assert failed(decision) == {"better"}


def test_a_difference_that_chance_explains_is_no_improvement():
    # Three gained, none lost: an eighth by chance.
    decision = gate(entrant("new", TEST, CANARY), entrant("old", TEST, CANARY, ids(3)))
    assert failed(decision) == {"better"}


def test_a_category_that_is_lost_refuses_however_much_the_rest_gains():
    security = {e.id for e in TEST if e.category is Category.SECURITY}
    # What `old` gets wrong it does not call Security.
    rest = {e.id for e in TEST if e.category not in (Category.SECURITY, Category.APPLICATION)}
    new = entrant("new", TEST, CANARY, set(sorted(security)[:6]))
    decision = gate(new, entrant("old", TEST, CANARY, rest))
    assert failed(decision) == {"category Security"}
    assert "Security: 0 gained, 6 lost of 20, F1 1.00 to 0.82" in decision.reason


def test_who_names_one_category_for_everything_loses_none_of_it_and_knows_nothing_of_it():
    items = [*answers(TEST), *answers(CANARY)]
    always = [
        replace(one, category=Category.SECURITY, served=replace(one.served, category=known))
        for one, known in zip(items, [e.category for e in [*TEST, *CANARY]], strict=True)
    ]
    old = Entrant("old", always[: len(TEST)], always[len(TEST) :])
    security = sorted(e.id for e in TEST if e.category is Category.SECURITY)
    new = entrant("new", TEST, CANARY, set(security[:6]), served_wrong=set())
    assert gate(new, old).passed


def test_one_or_two_items_lost_are_no_regression_of_a_category():
    security = sorted(e.id for e in TEST if e.category is Category.SECURITY)
    rest = {e.id for e in TEST if e.category is not Category.SECURITY}
    new = entrant("new", TEST, CANARY, set(security[:2]))
    assert gate(new, entrant("old", TEST, CANARY, rest)).passed


def test_a_canary_that_people_would_lose_refuses_and_is_named():
    lost = {CANARY[3].id}
    decision = gate(entrant("new", TEST, CANARY, lost), entrant("old", TEST, CANARY, ids(40)))
    assert failed(decision) == {"canary"}
    assert CANARY[3].id in decision.reason


def test_fewer_canaries_known_by_itself_refuse_even_where_the_baseline_mends_them():
    forgot = {e.id for e in CANARY[:4]}
    new = entrant("new", TEST, CANARY, forgot, served_wrong=set())
    decision = gate(new, entrant("old", TEST, CANARY, ids(40)))
    assert failed(decision) == {"canary"}


def test_without_canaries_nothing_passes():
    test = TEST
    new, old = entrant("new", test, []), entrant("old", test, [], ids(40))
    decision = decide(test, [], new, old, entrant("baseline", test, [], ids(30), is_baseline=True))
    assert failed(decision) == {"canary"}


def test_answers_that_are_no_json_refuse():
    broken = ids(6)
    new = entrant("new", TEST, CANARY, unusable=broken, served_wrong=set())
    assert "JSON" in failed(gate(new, entrant("old", TEST, CANARY, ids(60))))


def test_a_model_that_makes_the_served_verdict_worse_than_the_baseline_is_refused():
    harm = ids(60)
    baseline = entrant("baseline", TEST, CANARY, ids(5), is_baseline=True)
    old = entrant("old", TEST, CANARY, ids(100))
    decision = decide(TEST, CANARY, entrant("new", TEST, CANARY, harm), old, baseline)
    assert "baseline not worse" in failed(decision)


def test_against_the_baseline_in_service_what_people_get_decides():
    baseline = entrant("baseline", TEST, CANARY, ids(30), is_baseline=True)
    # By itself it is worse than the baseline; together with it, better.
    new = entrant("new", TEST, CANARY, ids(50), served_wrong=ids(2))
    canary_known = [check for check in gate(new, baseline).checks if check.name == "better"]
    assert canary_known[0].passed


def test_a_slow_candidate_is_refused():
    new = entrant("new", TEST, CANARY, latency_ms=900.0)
    assert failed(gate(new, entrant("old", TEST, CANARY, ids(40)))) == {"latency"}


def test_too_few_items_decide_nothing():
    few = examples(3)
    new, old = entrant("new", few, CANARY), entrant("old", few, CANARY, {e.id for e in few})
    decision = decide(few, CANARY, new, old, entrant("baseline", few, CANARY, is_baseline=True))
    assert failed(decision) == {"items"}


def test_answers_to_other_examples_are_refused():
    new = entrant("new", TEST[1:], CANARY)
    with pytest.raises(ValueError, match="new, test split"):
        gate(new)
