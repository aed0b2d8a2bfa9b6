import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.logic.plans.facts import LINE_MAX_CHARS, accept, facts_from_lines, merge_facts
from agents.logic.plans.runbooks import SLOTS


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("namespace=shop pod=web-7d9f-x2", {"namespace": "shop", "pod": "web-7d9f-x2"}),
        ('{"pod":"shop/web-0","namespace":"shop"}', {"pod": "web-0", "namespace": "shop"}),
        (
            "cannot connect to db-1.shop.internal:5432",
            {"host": "db-1.shop.internal", "port": "5432"},
        ),
        ("dial tcp 10.2.3.4:6379: refused", {"host": "10.2.3.4", "port": "6379"}),
        (
            "upstream http://api.shop/v1/x failed",
            {"host": "api.shop", "url": "http://api.shop/v1/x"},
        ),
        ("nginx.service: Failed with result", {"unit": "nginx.service"}),
        ("no space left: /var/lib/pg/base", {"path": "/var/lib/pg/base"}),
        ('FATAL: database "orders" is closed', {"database": "orders"}),
        ("Buffer I/O error on dev sdb1, sector", {"device": "/dev/sdb1"}),
        ("nvme0n1: I/O timeout", {"device": "/dev/nvme0n1"}),
        ("EXT4-fs error (device /dev/md0)", {"device": "/dev/md0"}),
        ("Failed password for invalid user bob from 9.8.7.6", {"user": "bob", "host": "9.8.7.6"}),
        ("eth0: link down", {"interface": "eth0"}),
        ("lag of topic=orders.v1 grows", {"topic": "orders.v1"}),
        ("node ip-10-0-0-7 is not ready", {"node": "ip-10-0-0-7"}),
    ],
)
def test_a_fact_is_found_in_a_line(line: str, expected: dict[str, str]) -> None:
    assert expected.items() <= facts_from_lines([line]).items()


@pytest.mark.parametrize(
    "line",
    [
        "host=$(reboot)",
        "host=-oProxyCommand",
        "host=a;reboot",
        "namespace=../../etc",
        "pod=`id`",
        "database=`id`",
        "port=99999",
        "unit=x y",
        "path=/../../x",
        "the pod status is bad",
        "the database system is starting up",
        "error at lock.c:1102",
        'GET /var/x HTTP/1.1 with interface "enough"',
        "host=999.1.1.1",
        "user=\u0440oot",
    ],
)
def test_what_fits_no_pattern_is_dropped(line: str) -> None:
    assert facts_from_lines([line]) == {}


def test_of_a_hostile_value_at_most_the_clean_head_is_taken() -> None:
    assert facts_from_lines(['user="bob; rm -rf /"']) == {"user": "bob"}
    assert facts_from_lines(["port=22;reboot"]) == {"port": "22"}
    assert facts_from_lines(["host=db.x$(reboot)"]) == {"host": "db.x"}


def test_the_port_of_a_client_is_not_the_port_of_a_service() -> None:
    assert "port" not in facts_from_lines(["Failed password for bob from 9.8.7.6 port 51234 ssh2"])
    assert "port" not in facts_from_lines(["client 9.8.7.6:51234 went away"])


def test_the_most_frequent_value_wins_whatever_the_order() -> None:
    lines = ["host=b.x", "host=a.x", "host=b.x", "host=c.x"]
    assert facts_from_lines(lines) == facts_from_lines(lines[::-1]) == {"host": "b.x"}
    assert facts_from_lines(["host=b.x", "host=a.x"])["host"] == "a.x"


def test_what_is_too_long_to_be_a_name_is_not_searched() -> None:
    assert facts_from_lines(["host=" + "a." * 200 + "x"]) == {}
    assert facts_from_lines(["x " * LINE_MAX_CHARS + "host=db.x"]) == {}
    dense = '{"msg":"' + "a," * 200 + '","host":"db.x"}'
    assert facts_from_lines([dense]) == {"host": "db.x"}


def test_an_earlier_source_wins_and_bad_values_are_dropped() -> None:
    merged = merge_facts({"host": "a b", "port": "80"}, {"host": "db", "port": "81"}, {"x": "y"})
    assert merged == {"host": "db", "port": "80"}


@settings(deadline=None, derandomize=True)
@given(st.sampled_from(SLOTS), st.text(max_size=80))
def test_whatever_is_accepted_needs_no_quotes_and_is_no_option(kind: str, value: str) -> None:
    accepted = accept(kind, value)
    if accepted is not None:
        assert shlex.quote(accepted) == accepted
        assert not accepted.startswith("-")
        assert accepted.isascii()


@settings(deadline=None, derandomize=True)
@given(st.lists(st.text(max_size=120), max_size=5))
def test_no_line_breaks_the_search_or_gives_an_unsafe_value(lines: list[str]) -> None:
    for kind, value in facts_from_lines(lines).items():
        assert accept(kind, value) == value
