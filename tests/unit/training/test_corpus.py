import json
from importlib import resources

import pytest

from schemas.vocabulary import Category, Severity
from streams.shape.shaper import Shaper
from training.augment import views_of
from training.corpus import CorpusError, Event, digest_of, load_events, parse_events

GOOD = """
- product: acme-db
  category: Database
  events:
    - [high, replication, 'replica lost its primary']
- product: acme-db
  category: Routine
  events:
    - [none, start-up, 'ready for connections']
"""


def test_a_good_file_is_read():
    events, faults = parse_events(GOOD, "good.yaml")
    assert faults == []
    assert [(e.product, e.category, e.severity, e.subcategory) for e in events] == [
        ("acme-db", Category.DATABASE, Severity.HIGH, "replication"),
        ("acme-db", None, None, "start-up"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("Database", "Databas", "unknown category 'Databas'"),
        ("high", "awful", "unknown severity 'awful'"),
        ("none,", "low,", "severity 'low' on a routine line"),
        ("'replica lost its primary'", "'  '", "empty line"),
        ("replication", "''", "empty subcategory"),
        ("[high, replication,", "[high,", "must be \\[severity, subcategory, line\\]"),
        ("product: acme-db\n  category: Database", "category: Database", "needs product"),
        ("- product", "product: [", "not YAML"),
    ],
)
def test_every_fault_is_named(tmp_path, old, new, fault):
    (tmp_path / "bad.yaml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(CorpusError, match=f"bad.yaml.*{fault}"):
        load_events(tmp_path, least_per_category=0)


def test_a_line_that_stands_twice_is_a_fault_in_any_case_and_spacing(tmp_path):
    (tmp_path / "one.yaml").write_text(GOOD)
    (tmp_path / "two.yaml").write_text(
        "- {product: b, category: Network, events: [[low, x, 'Replica  lost ITS primary']]}"
    )
    with pytest.raises(
        CorpusError, match=r"two.yaml \(b\): stands already in one.yaml \(acme-db\)"
    ):
        load_events(tmp_path, least_per_category=0)


def test_thin_categories_are_named_with_their_counts(tmp_path):
    (tmp_path / "one.yaml").write_text(GOOD)
    with pytest.raises(CorpusError, match="Hardware has 0 events, at least 2 are needed"):
        load_events(tmp_path, least_per_category=2)


def test_the_committed_events_are_sound_many_and_varied():
    events = load_events()
    assert len(events) >= 1_500
    assert len({event.product for event in events}) >= 36
    assert {event.severity for event in events if event.category} == set(Severity)


def test_the_committed_artefact_was_trained_on_the_committed_events():
    stored = json.loads((resources.files("agents") / "models" / "baseline.json").read_text())
    events = load_events()
    assert stored["events_sha256"] == digest_of(events), "run `make baseline`"
    assert stored["events"] == len(events)


def test_the_digest_follows_content_not_order():
    events, _ = parse_events(GOOD, "good.yaml")
    assert digest_of(events) == digest_of(events[::-1])
    assert digest_of(events) != digest_of(events[:1])


def test_views_keep_the_line_and_depend_on_nothing_else():
    event = Event("acme", Category.NETWORK, Severity.LOW, "dns", "lookup of a.b failed", "x.yaml")
    shape = Shaper().line(event.line.encode())
    views = views_of(event, shape)
    assert views == views_of(event, shape)
    assert views[0].text == event.line
    assert {view.service for view in views} == {"acme", ""}
    assert views[-1].text.endswith(event.line) and len(views[-1].text) > len(event.line)
