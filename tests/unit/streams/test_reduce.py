import json
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.digest import SLOT_MS, LogDigest
from schemas.vocabulary import Level
from streams.ingest.batch import Headers, RawBatch, Reduced, ReducerOptions
from streams.ingest.reduce import Reducer
from streams.ingest.rows import ranks

START_MS = 1_795_359_570_000
OPTIONS = ReducerOptions()
CONTROL: Headers = (("opspilot-control", b"end-of-input"),)


def batch_of(
    values: list[bytes | None],
    *,
    first: int = 100,
    keys: list[bytes | None] | None = None,
    headers: list[Headers] | None = None,
    append_ms: int = START_MS + 60_000,
) -> RawBatch:
    count = len(values)
    return RawBatch(
        "logs.raw", 3, first, first + count, list(range(first, first + count)),
        [append_ms] * count, keys or [None] * count, values, headers, 6,
    )  # fmt: skip


def tail(line: str, at_ms: int = 0, source: str = "shop/api", path: str = "/a") -> bytes:
    seconds, millis = divmod(START_MS + at_ms, 1000)
    stamp = np.datetime64(seconds, "s").astype(str) + f".{millis:03d}000000Z"
    document = {"fb_ts": stamp, "fb_path": path, "log": line, "fb_source": source}
    return json.dumps(document).encode()


def reduce(values: list[bytes | None], **columns: Any) -> Reduced:
    return Reducer(OPTIONS).reduce(batch_of(values, **columns))


def counts_of(digest: LogDigest) -> dict[str, int]:
    return {shape.shape: shape.count for shape in digest.shapes}


def test_lines_of_one_form_are_one_shape() -> None:
    (digest,) = reduce([tail(f"INFO user {n} logged in") for n in range(5)]).digests
    (shape,) = digest.shapes
    assert (shape.count, shape.level, digest.records, digest.events) == (5, Level.INFO, 5, 5)
    assert digest.service == "default/shop/api"
    assert digest.source.from_offset == 100 and digest.source.to_offset == 105
    assert digest.settings_hash == OPTIONS.hash


def test_one_digest_for_each_service_and_slot() -> None:
    values = [
        tail(f"tick {n}", at_ms=n * 4_000, source=source) for n in range(5) for source in "ab"
    ]
    reduced = reduce(values)
    found = [(d.service[-1], d.slot_ms - START_MS, d.records) for d in reduced.digests]
    assert found == [("a", 0, 3), ("b", 0, 3), ("a", SLOT_MS, 2), ("b", SLOT_MS, 2)]
    assert {d.clock_ms - START_MS for d in reduced.digests} == {16_000}
    assert reduced.clock_ms == START_MS + 16_000


def test_first_and_last_times_of_a_shape() -> None:
    (digest,) = reduce([tail("tick", at_ms=n) for n in (500, 20, 9_000)]).digests
    (shape,) = digest.shapes
    assert (shape.first_ms, shape.last_ms) == (START_MS + 20, START_MS + 9_000)


def test_a_stack_trace_is_one_event_and_its_example_shows_it() -> None:
    lines = [
        "2026-11-22 14:59:30 ERROR request failed",
        "java.lang.IllegalStateException: no pool",
        "\tat com.example.Pool.take(Pool.java:12)",
        "2026-11-22 14:59:31 INFO request done",
    ]
    (digest,) = reduce([tail(line) for line in lines]).digests
    assert (digest.records, digest.events, digest.continuations) == (4, 2, 2)
    failed = next(shape for shape in digest.shapes if shape.level is Level.ERROR)
    assert failed.examples[0].text == "\n".join(lines[:3])


def test_a_trace_whose_head_is_missing_counts_as_lines_only() -> None:
    (digest,) = reduce([tail("\tat com.example.Pool.take(Pool.java:12)")]).digests
    assert (digest.records, digest.events, digest.shapes, digest.continuations) == (1, 0, (), 1)


def test_a_record_of_many_lines_is_one_event() -> None:
    (digest,) = reduce([tail("ERROR boom\n\tat a.b(C.java:1)\n\tat d.e(F.java:2)\n")]).digests
    (shape,) = digest.shapes
    assert (digest.records, digest.events, digest.continuations) == (1, 1, 0)
    assert shape.examples[0].text == "ERROR boom\n\tat a.b(C.java:1)\n\tat d.e(F.java:2)"


def test_partial_records_are_joined() -> None:
    def cri(text: str, mark: str) -> bytes:
        return json.dumps({"time": "2026-11-22T14:59:30Z", "log": text, "_p": mark}).encode()

    (digest,) = reduce([cri("INFO part one ", "P"), cri("part two", "F"), cri("x", "F")]).digests
    assert (digest.records, digest.events, digest.continuations) == (3, 2, 1)
    assert "INFO part one part two" in {s.examples[0].text for s in digest.shapes}


def test_time_comes_from_the_record_then_the_line_then_kafka() -> None:
    append_ms = START_MS + 60_000
    reduced = reduce(
        [tail("INFO a"), b"2026-11-22 14:59:10.500 INFO b", b"no stamp"], append_ms=append_ms
    )
    times = {s.examples[0].text[-1]: s.first_ms for d in reduced.digests for s in d.shapes}
    assert times == {"a": START_MS, "b": START_MS - 19_500, "p": append_ms}
    assert reduced.counts.unstamped == 1


def test_a_line_from_2099_takes_its_append_time_and_a_flag() -> None:
    reduced = reduce([b"2099-01-01 00:00:00 INFO hello"])
    assert reduced.counts.future == 1
    assert reduced.clock_ms == START_MS + 60_000


def test_dead_control_and_counted_records_add_up() -> None:
    values: list[bytes | None] = [tail("a"), b"\0" * 40, None, None]
    reduced = reduce(values, headers=[(), (), (), CONTROL])
    counts = reduced.counts
    assert (counts.received, counts.digested, counts.dead_lettered, counts.control) == (4, 1, 2, 1)
    assert [(dead.offset, dead.reason) for dead in reduced.dead] == [(101, "binary"), (102, "null")]
    assert reduced.ended


def test_input_that_goes_on_has_not_ended() -> None:
    assert not reduce([None, tail("a")], headers=[CONTROL, ()]).ended


def test_replayed_records_are_counted_apart() -> None:
    headers: list[Headers] = [(("opspilot-replayed", b"1"),), ()]
    assert reduce([tail("a"), tail("b")], headers=headers).counts.replayed == 1


def test_an_export_counts_as_one_record_of_many_events() -> None:
    record = {"timeUnixNano": str(START_MS * 10**6), "body": {"stringValue": "INFO hi"}}
    export = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record, record, record]}]}]}
    empty: dict[str, object] = {"resourceLogs": []}
    reduced = reduce([json.dumps(export).encode(), json.dumps(empty).encode()])
    assert (reduced.counts.received, reduced.counts.digested, reduced.counts.events) == (2, 2, 3)


def test_a_status_class_parts_shapes_and_latency_is_kept() -> None:
    lines = [
        f'1.2.3.{n} "GET /a HTTP/1.1" {status} took 70 ms' for n, status in enumerate((200, 503))
    ]
    (digest,) = reduce([tail(line) for line in lines]).digests
    assert {shape.status_class for shape in digest.shapes} == {2, 5}
    assert all(shape.latency_histogram == (0, 0, 0, 0, 0, 0, 1) for shape in digest.shapes)


def test_a_level_in_the_record_counts_more_than_one_in_the_line() -> None:
    value = json.dumps({"log": "INFO x", "level": "error", "fb_source": "a"}).encode()
    assert reduce([value]).digests[0].shapes[0].level is Level.ERROR


def test_long_lines_are_cut_and_counted() -> None:
    reducer = Reducer(replace(OPTIONS, max_line_bytes=1_000))
    reduced = reducer.reduce(batch_of([tail("é" * 900), tail("short")]))
    assert reduced.counts.truncated == 1
    assert max(len(s.examples[0].text) for d in reduced.digests for s in d.shapes) <= 500


def test_errors_survive_the_bound_of_shapes_and_no_event_is_lost() -> None:
    words = ["".join(random.Random(n).sample("abcdefghijklmnop", 9)) for n in range(40)]
    values = [tail(f"INFO {word} done") for word in words for _ in range(2)] + [tail("ERROR lost")]
    reducer = Reducer(replace(OPTIONS, shapes_per_digest=5))
    (digest,) = reducer.reduce(batch_of(values)).digests
    assert len(digest.shapes) == 5
    assert "error" in {shape.level for shape in digest.shapes}
    assert sum(shape.count for shape in digest.shapes) + digest.other_shapes == digest.events == 81


def test_slots_over_the_bound_go_by_append_time_and_none_is_lost() -> None:
    values = [tail("tick", at_ms=-n * 60_000) for n in range(50)]
    reducer = Reducer(replace(OPTIONS, slots_per_batch=10))
    reduced = reducer.reduce(batch_of(values))
    assert len(reduced.digests) <= 11
    assert reduced.counts.digested == 50
    assert reduced.counts.unstamped == 40


def test_examples_are_those_of_the_smallest_ranks() -> None:
    values = [tail(f"ERROR job {n} failed") for n in range(200)]
    (digest,) = reduce(values).digests
    chosen = digest.shapes[0].examples
    assert len(chosen) == OPTIONS.examples_per_shape
    assert [example.rank for example in chosen] == sorted(example.rank for example in chosen)
    halves = [reduce(values[:90]), reduce(values[90:], first=190)]
    merged = [e for half in halves for d in half.digests for s in d.shapes for e in s.examples]
    assert sorted(merged, key=lambda example: example.rank)[: len(chosen)] == list(chosen)


def test_ranks_are_exact_in_doubles() -> None:
    found = ranks(7, np.arange(1_000), np.zeros(1_000, np.int64))
    assert len(set(found.tolist())) == 1_000
    assert int(found.max()) < 1 << 53


def test_examples_shapes_and_instances_are_redacted() -> None:
    value = json.dumps({"log": "mail bob@example.com sent", "host": "eve@example.com"}).encode()
    written = b"".join(digest.to_bytes() for digest in reduce([value]).digests)
    assert b"example.com" not in written
    assert b"<email>" in written


def test_the_key_names_the_instance_and_stands_in_for_the_service() -> None:
    keys: list[bytes | None] = [b"prod/shop/api/pod-1", b"prod/shop/web/pod-2"]
    reduced = reduce([tail("a", source="prod/shop/api"), tail("b", source="")], keys=keys)
    found = {digest.service: digest.instances for digest in reduced.digests}
    assert found == {"prod/shop/api": ("pod-1",), "prod/shop/web": ("pod-2",)}


LINES = st.sampled_from(
    [
        "2026-11-22 14:59:30 ERROR db 7 failed",
        "INFO user 12 in",
        "\tat a.B.c(D.java:5)",
        "java.io.IOException: broken",
        "",
        "two\nlines",
        "nul\0inside",
        "cr\rinside\r\n",
        'x "GET / HTTP/1.1" 500 12',
        "größe ✓",
    ]
)
RECORDS = st.builds(
    tail, LINES, st.integers(-40_000, 400_000), st.sampled_from(["a", "", "e/n/b"]),
    st.sampled_from(["/x", "/y"]),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(RECORDS, max_size=30))
def test_whole_columns_and_single_records_give_the_same(values: list[bytes | None]) -> None:
    whole = reduce(values)
    single = reduce(values, headers=[()] * len(values))
    assert whole == single


@settings(max_examples=60, deadline=None)
@given(st.lists(RECORDS | st.binary(max_size=40) | st.none(), max_size=30))
def test_nothing_is_lost_and_nothing_is_remembered(values: list[bytes | None]) -> None:
    reducer = Reducer(OPTIONS)
    reducer.reduce(batch_of([tail("INFO something else"), b"plain"]))
    reduced = reducer.reduce(batch_of(values))
    counts = reduced.counts
    assert counts.received == counts.digested + counts.dead_lettered + counts.control
    for digest in reduced.digests:
        shown = sum(shape.count for shape in digest.shapes) + digest.other_shapes
        assert shown == digest.events
        assert digest.events + digest.continuations == digest.records
        assert LogDigest.from_bytes(digest.to_bytes()) == digest
    assert reduced == reduce(values)


@pytest.mark.parametrize("change", [{"examples_per_shape": 3}, {"redact_ips": True}])
def test_the_hash_of_the_options_tells_what_matters(change: dict[str, Any]) -> None:
    assert replace(OPTIONS, **change).hash != OPTIONS.hash
    assert replace(OPTIONS, cached_keys=7).hash == OPTIONS.hash
