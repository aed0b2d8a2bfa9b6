import pytest

from agents.logic.investigation.recalling import runbook_query, search_runbooks
from agents.logic.plans.retrieval import Query, RunbookLibrary, tokens
from agents.logic.plans.runbooks import Runbook, parse_runbook
from schemas.vocabulary import Category


def _runbook(name: str, category: str, product: str, *symptoms: str) -> Runbook:
    text = (
        f"---\nid: {name}\ntitle: About {name}\ncategories: [{category}]\nsubcategories: [x]\n"
        f"products: [{product}]\nestimated: 5m\n---\n## Symptoms\n"
        + "".join(f"- {symptom}\n" for symptom in symptoms)
        + "## Checks\n1. Look.\n   Expect: it.\n## Steps\n1. Do.\n   Verify: it.\n"
        "   Rollback: undo it.\n   Risk: low\n## Success\n- Well.\n## Risks\n- Some.\n"
        "## Rollback\nUndo all of it.\n"
    )
    return parse_runbook(text, f"{name}.md")


RUNBOOKS = [
    _runbook("disk-full", "Hardware", "linux", "No space left on device", "disk quota exceeded"),
    _runbook("redis-memory", "Database", "redis", "OOM command not allowed when used memory"),
    _runbook("queue-memory", "Application", "rabbitmq", "memory resource limit alarm set"),
    _runbook("generic-database", "Database", "any", "database error"),
]


@pytest.fixture(scope="module")
def library() -> RunbookLibrary:
    return RunbookLibrary(RUNBOOKS)


def test_camel_case_snake_case_and_endings_give_the_same_words() -> None:
    assert (
        tokens("ConnectionRefused")
        == tokens("connection_refused")
        == tokens("refused-connections")[::-1]
    )
    assert tokens("GET 404 0x1f") == ["get"]


def test_the_runbook_whose_symptom_is_shown_comes_first(library: RunbookLibrary) -> None:
    query = Query("write failed: No space left on device /dev/sda1", Category.HARDWARE)
    best = library.search(query)[0]
    assert best.runbook.id == "disk-full"
    assert best.is_good
    assert best.coverage == 1.0


def test_a_weak_match_is_told_from_a_good_one(library: RunbookLibrary) -> None:
    matches = library.search(Query("memory was mentioned once", Category.HARDWARE))
    assert matches
    assert not any(match.is_good for match in matches)


def test_no_shared_word_gives_no_match(library: RunbookLibrary) -> None:
    assert library.search(Query("zzz qqq", Category.NETWORK)) == []
    assert library.search(Query("", Category.NETWORK)) == []


def test_a_named_product_decides_between_near_matches(library: RunbookLibrary) -> None:
    text = "memory limit reached, command not allowed"
    redis = library.search(Query(text, Category.DATABASE, service="redis-cache"))
    rabbit = library.search(Query(text, Category.APPLICATION, service="rabbitmq-0"))
    assert redis[0].runbook.id == "redis-memory"
    assert rabbit[0].runbook.id == "queue-memory"


def test_what_the_owner_names_is_preferred(library: RunbookLibrary) -> None:
    text = "memory limit reached, command not allowed, alarm set"
    plain = library.search(Query(text, Category.NETWORK))[0]
    other = "disk-full" if plain.runbook.id != "disk-full" else "redis-memory"
    told = Query(text + " disk space", Category.NETWORK, preferred=frozenset({other}))
    score = {match.runbook.id: match.score for match in library.search(told, limit=9)}
    untold = {
        match.runbook.id: match.score
        for match in library.search(Query(text + " disk space", Category.NETWORK), limit=9)
    }
    assert score[other] == pytest.approx(untold[other] + 0.5)


def test_the_order_of_the_runbooks_changes_nothing() -> None:
    query = Query("memory device command limit", Category.DATABASE)
    forward = RunbookLibrary(RUNBOOKS).search(query, limit=9)
    backward = RunbookLibrary(RUNBOOKS[::-1]).search(query, limit=9)
    assert forward == backward


def test_generic_runbooks_are_fallbacks_only(library: RunbookLibrary) -> None:
    assert library.generic(Category.DATABASE) is library.get("generic-database")
    assert library.generic(Category.NETWORK) is None
    found = library.search(Query("database error", Category.DATABASE), limit=9)
    assert "generic-database" not in {match.runbook.id for match in found}


def test_two_runbooks_of_one_id_or_none_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match="disk-full occurs 2 times"):
        RunbookLibrary([RUNBOOKS[0], RUNBOOKS[0]])
    with pytest.raises(ValueError, match="library is empty"):
        RunbookLibrary([])


HOSTS = RunbookLibrary(
    [
        _runbook("disk-full", "Hardware", "linux", "No space left on device"),
        _runbook("fan-failed", "Hardware", "linux", "Fan failure detected"),
        _runbook("names", "Network", "any", "Temporary failure in name resolution"),
    ]
)
FAN = {"disk-full": 0.5, "fan-failed": 3.6, "names": -0.2}


def test_without_a_shared_word_only_meaning_finds_a_runbook():
    query = Query("blower stands still", Category.HARDWARE)
    assert HOSTS.search(query) == [] and HOSTS.fitting(query) == []
    (match,) = HOSTS.fitting(query, FAN)
    assert (match.runbook.id, match.is_near, match.is_good) == ("fan-failed", True, False)
    assert [m.runbook.id for m in HOSTS.search(query, 9, FAN)] == [
        "fan-failed",
        "disk-full",
        "names",
    ]


def test_where_words_speak_for_a_runbook_meaning_changes_nothing():
    query = Query("write failed: no space left on device", Category.HARDWARE)
    assert HOSTS.search(query, 9, FAN) == HOSTS.search(query, 9)
    named = Query("fan space", Category.HARDWARE, preferred=frozenset({"disk-full"}))
    assert HOSTS.fitting(named, FAN) == HOSTS.fitting(named)


def test_what_is_near_must_be_of_the_verdicts_category():
    assert HOSTS.fitting(Query("blower stands still", Category.NETWORK), FAN) == []


def test_nothing_near_leaves_the_generic_runbook():
    assert HOSTS.fitting(Query("x y", Category.HARDWARE), {"fan-failed": 2.9}) == []
    assert HOSTS.fitting(Query("x y", Category.HARDWARE), {}) == []


def test_an_investigation_shows_what_is_near_too():
    query = runbook_query("blower stands still", None, "prod/shop/web")
    assert search_runbooks(HOSTS, query).rows == ()
    seen = search_runbooks(HOSTS, query, FAN)
    assert seen.rows[0]["runbook"] == "fan-failed"
    assert seen.strength == 0.0, "no symptom is shown"
