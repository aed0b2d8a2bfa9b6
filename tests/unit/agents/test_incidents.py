"""From findings to incidents: the same end whatever the order, revisions, merges, bounds."""

import random
from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from written_findings import MINUTE_MS, RULES, START_MS, cleared, correlate, finding, later

from agents.logic.incidents.correlation import IncidentState, apply_finding
from agents.logic.incidents.episodes import EpisodeRules
from schemas.vocabulary import FindingKind, FindingPhase, IncidentStatus, Level, Severity

WEB, DB, API = "prod/shop/web", "prod/shop/db", "prod/shop/api"
SERVICES = (WEB, DB, API)
KINDS = (FindingKind.BURST, FindingKind.NEW_TEMPLATE, FindingKind.SILENCE)
TIES = ("host:node-1", "host:node-2", "peer:db:5432")


@st.composite
def stories(draw: st.DrawFn) -> list[list]:
    """Draw, for each service, its findings in the order in which analyze would write them."""
    return [draw(story(service)) for service in SERVICES]


@st.composite
def story(draw: st.DrawFn, service: str) -> list:
    told, running = [], []
    at_s = draw(st.integers(0, 30)) * 10
    for _ in range(draw(st.integers(0, 7))):
        at_s += draw(st.sampled_from((0, 10, 20, 60, 300, 1_200)))
        ties = tuple(draw(st.sets(st.sampled_from(TIES), max_size=2)))
        level = draw(st.sampled_from((Level.WARN, Level.ERROR, Level.FATAL)))
        if running and draw(st.booleans()):
            last = running.pop(draw(st.integers(0, len(running) - 1)))
            ends = draw(st.booleans())
            count = last.count + draw(st.integers(0, 20))
            shapes = (last.shapes[0].model_copy(update={"count": count, "level": level}),)
            phase = FindingPhase.CLEARED if ends else FindingPhase.UPDATED
            step = later(last, at_s, phase, ties=ties, count=count, shapes=shapes)
            if not ends:
                running.append(step)
        else:
            kind, subject = draw(st.sampled_from(KINDS)), draw(st.sampled_from(("a", "b")))
            step = finding(service, at_s, kind=kind, subject=subject, ties=ties, level=level)
            if any(step.condition_id == other.condition_id for other in told):
                continue
            running.append(step)
        told.append(step)
    return told


def interleave(queues: list[list], shuffle: random.Random) -> list:
    """Mix the services' findings, each service's own order kept."""
    turns = [i for i, queue in enumerate(queues) for _ in queue]
    shuffle.shuffle(turns)
    heads = [iter(queue) for queue in queues]
    return [next(heads[i]) for i in turns]


@settings(max_examples=60, deadline=None)
@given(stories(), st.randoms(use_true_random=False))
def test_any_interleaving_of_services_ends_with_the_same_incidents(queues, shuffle):
    first = correlate(interleave(queues, shuffle))
    second = correlate(interleave(queues, shuffle))
    assert first[1] == second[1]
    assert first[0].conditions == second[0].conditions


@settings(max_examples=25, deadline=None)
@given(stories(), st.randoms(use_true_random=False))
def test_a_revision_never_falls_and_only_a_merged_record_stands_above_the_bound(queues, shuffle):
    _, _, written = correlate(interleave(queues, shuffle))
    for incident_id in {i.id for i in written}:
        mine = [i for i in written if i.id == incident_id]
        assert all(a.revision <= b.revision for a, b in pairwise(mine))
        judged = [i.revision for i in mine if i.status is not IncidentStatus.MERGED]
        assert all(1 <= revision <= RULES.max_revisions for revision in judged)


@settings(max_examples=15, deadline=None)
@given(stories(), st.randoms(use_true_random=False))
def test_what_was_applied_before_changes_nothing(queues, shuffle):
    findings = interleave(queues, shuffle)
    state, last, _ = correlate(findings)
    for offset, one in enumerate(findings):
        assert apply_finding(state, one, offset, RULES, {}) == (state, [])
    # The same findings sent a second time, at later offsets, as analyze does after a crash.
    for offset, one in enumerate(findings, start=len(findings)):
        again, changed = apply_finding(state, one, offset, RULES, {})
        assert changed == []
        assert again.conditions == state.conditions
    assert last == correlate(findings)[1]


def test_a_condition_opens_updates_and_resolves_one_incident():
    first = finding(WEB, 0, count=3)
    settled = later(first, 20, count=9)
    _, last, written = correlate([first, settled, cleared(settled, 400)])
    assert len(last) == 1
    assert [i.status for i in written] == [
        IncidentStatus.OPEN, IncidentStatus.OPEN, IncidentStatus.RESOLVED,
    ]  # fmt: skip
    assert written[-1].resolved_ms == START_MS + 400_000
    assert written[0].appended_ms == first.appended_ms


def revisions(findings: list) -> list[int]:
    return [i.revision for i in correlate(findings)[2] if i.status is not IncidentStatus.MERGED]


def test_the_first_twenty_seconds_are_one_revision_and_settling_is_the_next():
    a, b = finding(WEB, 0, subject="a"), finding(WEB, 10, subject="b", kind=FindingKind.LATENCY)
    assert revisions([a, b]) == [1, 1]
    assert revisions([a, b, later(a, 20)]) == [1, 1, 2]
    assert revisions([a, b, later(a, 20), later(a, 60).model_copy(update={"sequence": 2})])[-1] == 2


def test_a_new_kind_after_settling_is_a_revision():
    a = finding(WEB, 0)
    new_kind = finding(WEB, 50, subject="b", kind=FindingKind.LATENCY)
    same_kind = finding(WEB, 50, subject="b")
    assert revisions([a, later(a, 20), new_kind])[-1] == 3
    assert revisions([a, later(a, 20), same_kind])[-1] == 2


def test_a_service_that_joins_after_settling_is_a_revision():
    tie = ("host:node-1",)
    a = finding(WEB, 0, ties=tie)
    _, last, _ = correlate([a, later(a, 20), finding(DB, 60, ties=tie)])
    root = next(i for i in last.values() if i.service == WEB)
    assert root.revision == 3
    assert root.services == (WEB, DB)


def test_a_step_in_severity_is_a_revision_and_a_step_back_is_none():
    a = finding(WEB, 0, level=Level.WARN)
    worse = (a.shapes[0].model_copy(update={"level": Level.FATAL}),)
    bad = later(a, 30, shapes=worse)
    relieved = later(bad, 60, shapes=a.shapes)
    _, last, written = correlate([a, later(a, 20).model_copy(update={"sequence": 1})])
    assert next(iter(last.values())).analysis.severity is Severity.MEDIUM
    bad = bad.model_copy(update={"sequence": 2})
    relieved = relieved.model_copy(update={"sequence": 3})
    settled = later(a, 20)
    _, _, written = correlate([a, settled, bad, relieved])
    assert [i.revision for i in written] == [1, 2, 4, 4]
    assert [i.analysis.severity for i in written][2:] == [Severity.CRITICAL, Severity.MEDIUM]


def test_revisions_are_bounded():
    a = finding(WEB, 0, level=Level.WARN)
    story = [a, later(a, 20)]
    kinds = [kind for kind in FindingKind if kind is not FindingKind.REPORTED]
    for i, kind in enumerate(kinds):
        story.append(finding(WEB, 30 + i, subject=f"s{i}", kind=kind, level=Level.FATAL))
    assert revisions(story)[-1] == RULES.max_revisions


def test_the_same_trouble_that_comes_back_reopens_its_incident():
    first = finding(WEB, 0)
    _, last, written = correlate([first, cleared(first, 400), finding(WEB, 1_000)])
    assert len(last) == 1
    statuses = [i.status for i in written]
    assert statuses == [IncidentStatus.OPEN, IncidentStatus.RESOLVED, IncidentStatus.OPEN]
    assert written[1].resolved_ms == START_MS + 400_000
    assert written[-1].resolved_ms is None
    assert written[-1].reopened == 1
    assert written[-1].revision > written[1].revision


def test_a_merged_incident_points_to_its_root_and_the_root_speaks_for_both():
    tie = ("host:node-1",)
    web, db = finding(WEB, 30, ties=tie, count=4), finding(DB, 0, ties=tie, count=6)
    _, last, _ = correlate([web, db])
    by_service = {i.service: i for i in last.values()}
    root, merged = by_service[DB], by_service[WEB]
    assert merged.status is IncidentStatus.MERGED
    assert merged.merged_into == root.id
    assert root.merged_from == (merged.id,)
    assert root.services == (DB, WEB)
    assert root.count == 10
    assert root.ties == tie


def test_counts_are_those_of_the_condition_that_saw_most():
    burst = finding(WEB, 0, kind=FindingKind.BURST, count=40)
    ratio = finding(WEB, 10, kind=FindingKind.ERROR_RATIO, count=55)
    _, last, _ = correlate([burst, ratio])
    assert [i.count for i in last.values()] == [55]


def test_the_timeline_is_bounded_and_keeps_its_beginning_and_its_end():
    rules = replace(RULES, max_timeline=10)
    story = [finding(WEB, 10 * i, subject=f"s{i:02}") for i in range(30)]
    _, last, _ = correlate(story, rules)
    (incident,) = last.values()
    said = [entry.what for entry in incident.timeline]
    assert len(said) == 10
    assert "s00" in said[0]
    assert "s29" in said[-1]
    assert [e.at_ms for e in incident.timeline] == sorted(e.at_ms for e in incident.timeline)


def test_trouble_that_is_back_takes_nothing_out_of_an_incident_that_has_begun():
    tie = ("host:node-1",)
    old, api = finding(WEB, 20, subject="a"), finding(API, 1_200, subject="a")
    tied = later(api, 1_200, ties=tie)
    new = finding(WEB, 1_220, subject="b", ties=tie)
    back = finding(WEB, 1_220, subject="a", kind=FindingKind.NEW_TEMPLATE)
    assert back.condition_id < new.condition_id, "a sort would put it first"
    orders = ([old, new, back, api, tied], [old, api, new, tied, back], [api, tied, old, new, back])
    ends = [correlate(order)[1] for order in orders]
    assert ends[0] == ends[1] == ends[2]
    assert {i.merged_into for i in ends[0].values() if i.service == WEB} >= {
        next(i.id for i in ends[0].values() if i.service == API)
    }


def test_a_person_s_report_is_an_incident_of_its_own_that_says_who():
    told = finding(WEB, 0, kind=FindingKind.REPORTED, reported_by="ana")
    told = told.model_copy(update={"description": "the shop is slow"})
    _, last, _ = correlate([finding(WEB, 0), told])
    assert sorted(str(i.reported_by) for i in last.values()) == ["None", "ana"]
    assert "the shop is slow" in {i.description for i in last.values()}


def test_retiring_lets_go_of_old_incidents_and_moves_no_id():
    rules = replace(RULES, episodes=EpisodeRules(MINUTE_MS, 10 * MINUTE_MS))
    first = finding(WEB, 0)
    old = [first, cleared(first, 400)]
    state, last, _ = correlate([*old, finding(WEB, 4_000, subject="later")], rules)
    assert len(last) == 2
    assert len(state.conditions) == 1
    assert set(state.published) == {i.id for i in last.values() if i.status is IncidentStatus.OPEN}
    alone = correlate([finding(WEB, 4_000, subject="later")], rules)[1]
    assert set(alone) == set(state.published)


def test_an_incident_retires_only_as_a_whole():
    rules = replace(RULES, episodes=EpisodeRules(MINUTE_MS, 10 * MINUTE_MS))
    tie = ("host:node-1",)
    db, web = finding(DB, 0, ties=tie), finding(WEB, 30, ties=tie)
    story = [db, web, cleared(db, 400), finding(DB, 9_000, subject="later")]
    state, last, _ = correlate(story, rules)
    merged = next(i for i in last.values() if i.service == WEB)
    assert merged.status is IncidentStatus.MERGED, "its root is held as long as it may change"
    assert web.condition_id in state.conditions
    assert db.condition_id in state.conditions


def test_over_the_bound_the_one_that_was_quiet_longest_goes():
    rules = replace(RULES, max_live=3)
    story = []
    for i in range(4):
        one = finding(f"p/n/s{i}", 100 * i)
        story += [one, cleared(one, 100 * i + 50)] if i != 1 else [one]
    state, last, _ = correlate(story, rules)
    assert len(last) == 4
    assert {c.first.service for c in state.conditions.values()} == {"p/n/s1", "p/n/s2", "p/n/s3"}


def test_the_state_survives_its_bytes():
    first = finding(WEB, 0, ties=("host:node-1",))
    state, _, _ = correlate([first, later(first, 20)])
    assert IncidentState.from_bytes(state.to_bytes()) == state


def test_a_tie_from_the_services_topic_counts_from_the_next_finding_on():
    web, db = finding(WEB, 0), finding(DB, 30)
    _, last, _ = correlate([web, db], dependencies={WEB: ("db",)})
    assert {i.service: i.status for i in last.values()}[DB] is IncidentStatus.MERGED
