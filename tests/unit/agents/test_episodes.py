"""Which conditions are one bout of trouble, and which bouts are one incident."""

import pytest
from written_findings import HOUR_MS, MINUTE_MS, START_MS, cleared, finding, later

from agents.logic.incidents.episodes import Condition, EpisodeRules, find_episodes, find_roots
from schemas.vocabulary import FindingKind

RULES = EpisodeRules(join_window_ms=MINUTE_MS, reopen_within_ms=HOUR_MS)
WEB, DB = "prod/shop/web", "prod/shop/db"


def condition(*steps):
    made = Condition.begin(steps[0])
    for step in steps[1:]:
        made = made.after(step)
    return made


def roots(*conditions, dependencies=None):
    """Return the episodes by service, and the root of each."""
    episodes = find_episodes(conditions, RULES)
    found = find_roots(episodes, dependencies or {})
    by_id = {e.id: e.service for e in episodes}
    return {by_id[episode]: by_id[root] for episode, root in found.items()}


def test_conditions_that_open_within_a_minute_are_one_episode():
    one = condition(finding(WEB, 0, subject="a"))
    two = condition(finding(WEB, 50, subject="b"))
    three = condition(finding(WEB, 200, subject="c"))
    episodes = find_episodes([one, two, three], RULES)
    assert [len(e.conditions) for e in episodes] == [2, 1]
    assert episodes[0].opened_ms == START_MS


def test_one_that_opened_earlier_and_came_later_joins_and_renames_nothing():
    came_first = condition(finding(WEB, 50, subject="b"))
    alone = find_episodes([came_first], RULES)
    both = find_episodes([came_first, condition(finding(WEB, 0, subject="a"))], RULES)
    assert [len(e.conditions) for e in both] == [2]
    assert both[0].id == alone[0].id
    assert both[0].opened_ms == alone[0].opened_ms


def test_the_same_trouble_within_the_hour_reopens_its_episode():
    first = finding(WEB, 0)
    back = finding(WEB, 1_800)
    too_late = finding(WEB, 10_000)
    episodes = find_episodes(
        [condition(first, cleared(first, 300)), condition(back, cleared(back, 2_100)),
         condition(too_late)],
        RULES,
    )  # fmt: skip
    assert [len(e.conditions) for e in episodes] == [2, 1]


def test_another_kind_about_the_same_shape_is_the_same_trouble():
    first = finding(WEB, 0)
    back = finding(WEB, 1_800, kind=FindingKind.RARE_SEVERE)
    assert len(find_episodes([condition(first, cleared(first, 300)), condition(back)], RULES)) == 1


def test_other_trouble_later_is_an_episode_of_its_own():
    first = finding(WEB, 0)
    other = finding(WEB, 1_800, subject="other")
    assert len(find_episodes([condition(first, cleared(first, 300)), condition(other)], RULES)) == 2


def test_an_episode_keeps_its_id_while_it_grows():
    first, second = finding(WEB, 0), finding(WEB, 30, subject="b")
    alone = find_episodes([condition(first)], RULES)[0]
    grown = find_episodes([condition(first, later(first, 20)), condition(second)], RULES)[0]
    assert alone.id == grown.id


def test_what_a_person_reports_stays_apart():
    seen = finding(WEB, 0, ties=("peer:db:5432",))
    told = finding(WEB, 5, kind=FindingKind.REPORTED, reported_by="ana", ties=("peer:db:5432",))
    other = finding(DB, 5, ties=("peer:db:5432",))
    assert len(find_episodes([condition(seen), condition(told)], RULES)) == 2
    assert roots(condition(told), condition(other)) == {WEB: WEB, DB: DB}


@pytest.mark.parametrize("tie", ["host:node-7", "peer:10.0.0.7:5432", f"trace:{'a' * 32}"])
def test_a_shared_tie_joins_and_the_earliest_is_the_root(tie):
    web, db = condition(finding(WEB, 20, ties=(tie,))), condition(finding(DB, 0, ties=(tie,)))
    assert roots(web, db) == {WEB: DB, DB: DB}


def test_a_peer_that_bears_the_name_of_the_other_joins():
    web = condition(finding(WEB, 20, ties=("peer:db:5432",)))
    assert roots(web, condition(finding(DB, 0))) == {WEB: DB, DB: DB}
    similar = condition(finding(WEB, 20, ties=("peer:db2:5432",)))
    assert roots(similar, condition(finding(DB, 0))) == {WEB: WEB, DB: DB}


@pytest.mark.parametrize("declared", ["db", DB])
def test_a_declared_dependency_joins(declared):
    web, db = condition(finding(WEB, 20)), condition(finding(DB, 0))
    assert roots(web, db) == {WEB: WEB, DB: DB}
    assert roots(web, db, dependencies={WEB: (declared,)}) == {WEB: DB, DB: DB}


def test_nothing_joins_without_a_tie_or_when_it_began_too_long_after():
    tie = ("host:node-7",)
    db = finding(DB, 0, ties=tie)
    assert roots(condition(db), condition(finding(WEB, 20))) == {WEB: WEB, DB: DB}
    lasting = condition(db, later(db, 900))
    assert roots(lasting, condition(finding(WEB, 700, ties=tie))) == {WEB: WEB, DB: DB}


def test_what_had_ended_before_the_other_began_does_not_join():
    tie = ("host:node-7",)
    gone = finding(DB, 0, ties=tie, kind=FindingKind.SILENCE)
    over = condition(gone, cleared(gone, 30))
    assert roots(over, condition(finding(WEB, 120, ties=tie))) == {WEB: WEB, DB: DB}
    assert roots(over, condition(finding(WEB, 60, ties=tie))) == {WEB: DB, DB: DB}


def test_what_is_joined_stays_joined_when_it_clears():
    tie = ("host:node-7",)
    db, web = finding(DB, 0, ties=tie), finding(WEB, 200, ties=tie)
    joined = {WEB: DB, DB: DB}
    assert roots(condition(db), condition(web)) == joined
    assert roots(condition(db, cleared(db, 30)), condition(web)) == joined
    forgetful = later(web, 220, ties=())
    assert roots(condition(db), condition(web, forgetful)) == joined


def test_joins_reach_through_a_third_service():
    a = condition(finding("p/n/a", 0, ties=("host:node-1",)))
    b = condition(finding("p/n/b", 10, ties=("host:node-1", "host:node-2")))
    c = condition(finding("p/n/c", 20, ties=("host:node-2",)))
    assert set(roots(c, a, b).values()) == {"p/n/a"}
