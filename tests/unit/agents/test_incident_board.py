"""Which open incidents get a name in a gauge: few, and the same ones as long as trouble lasts."""

from agents.logic.incidents.board import MAX_SERVICES, OTHER, UNJUDGED, make_board


def services(count: int, first: int = 0) -> dict[str, str]:
    return {f"i{n}": f"prod/shop/svc{n:03}" for n in range(first, first + count)}


def test_few_services_have_their_names():
    board = make_board({"i1": "a", "i2": "a", "i3": "b"}, {"i1": "Database"}, [])
    assert board.by_service == {"a": 2, "b": 1}
    assert board.by_category == {"Database": 1, UNJUDGED: 2}


def test_beyond_the_bound_the_rest_is_one():
    board = make_board(services(MAX_SERVICES + 30), {}, [])
    assert len(board.by_service) == MAX_SERVICES + 1
    assert board.by_service[OTHER] == 30
    assert sum(board.by_service.values()) == MAX_SERVICES + 30


def test_those_with_most_incidents_come_first():
    crowded = {f"c{n}": "prod/shop/zz" for n in range(3)}
    board = make_board(services(MAX_SERVICES) | crowded, {}, [])
    assert board.by_service["prod/shop/zz"] == 3
    assert board.by_service[OTHER] == 1


def test_a_name_is_kept_while_there_is_trouble_and_not_longer():
    early = make_board(services(MAX_SERVICES, first=100), {}, [])
    named = [name for name in early.by_service if name != OTHER]
    later = services(MAX_SERVICES + 100)
    board = make_board(later, {}, named)
    assert set(named) <= set(board.by_service)
    assert board.by_service[OTHER] == 100
    over = make_board({"i1": "a"}, {}, named)
    assert over.by_service == {"a": 1}


def test_nothing_open_is_nothing_said():
    board = make_board({}, {"i1": "Database"}, ["a"])
    assert not board.by_service
    assert not board.by_category
