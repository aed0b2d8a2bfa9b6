"""Files as people have them: named, encoded, packed, broken."""

import gzip
import os
from pathlib import Path

import pytest

from opspilot import logfiles
from opspilot.logfiles import (
    MAX_LINE_BYTES,
    LogFile,
    has_stamps,
    in_time_order,
    parse_sources,
    read_lines,
)
from opspilot.replaying import partition_of, raw_value
from streams.errors import InputError
from streams.ingest.batch import ReducerOptions
from streams.ingest.envelope import read_value

APPEND_MS = 1_800_000_000_000


def texts(path: Path) -> list[str]:
    return [line.text for line in read_lines(LogFile(path, "default/default/app"))]


def test_the_service_is_named_or_the_files_name(tmp_path: Path) -> None:
    path = tmp_path / "checkout.2026.log"
    path.write_text("a\n")
    assert parse_sources([str(path)])[0].service == "default/default/checkout"
    assert parse_sources([f"shop/pay={path}"])[0].service == "default/shop/pay"
    assert parse_sources([str(path)], "a/b/c")[0].key == "a/b/c/checkout.2026.log"


def test_a_path_with_an_equals_sign_is_a_path(tmp_path: Path) -> None:
    path = tmp_path / "a=b.log"
    path.write_text("a\n")
    assert parse_sources([str(path)])[0].path == path


def test_two_files_that_would_be_mixed_are_refused(tmp_path: Path) -> None:
    paths = [tmp_path / "one" / "app.log", tmp_path / "two" / "app.log"]
    for path in paths:
        path.parent.mkdir()
        path.write_text("a\n")
    with pytest.raises(InputError, match=r"two files named app\.log"):
        parse_sources([str(path) for path in paths])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"\x7fELF\x02\x01\x01\x00\x00", "is binary"),
        (bytes(range(1, 32)) * 9, "is binary"),
        ("2026 INFO tick\n".encode("utf-16-le"), r"or convert it \(iconv -f UTF-16LE -t UTF-8\)"),
        (gzip.compress(b"2026 INFO tick\n")[:-10], r"cannot be unpacked \(.*\): is it whole"),
        (b"\x1f\x8b\x08" + b"\0" * 7 + b"nonsense", "cannot be unpacked"),
        (b"\x1f\x8bnonsense", "cannot be read"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(content)
    with pytest.raises(InputError, match=expected):
        parse_sources([str(path)])


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        parse_sources([str(tmp_path)])
    with pytest.raises(InputError, match="does not exist"):
        parse_sources([str(tmp_path / "none.log")])
    with pytest.raises(InputError, match="cannot be read: File name too long"):
        parse_sources([f"shop={'x' * 300}"])


def test_a_file_that_may_not_be_read_and_a_pipe_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.log"
    os.mkfifo(path)
    with pytest.raises(InputError, match="is a pipe or a device"):
        parse_sources([str(path)])

    def refused(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    # To root, which tests may run as, no file is closed.
    monkeypatch.setattr(logfiles, "_open", refused)
    path.unlink()
    path.write_text("a\n")
    with pytest.raises(InputError, match=r"x\.log cannot be read: Permission denied"):
        parse_sources([str(path)])


def test_encodings_and_packing_are_seen_through(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes("grün\nblau".encode())
    assert texts(path) == ["grün", "blau"]
    path.write_bytes("grün\r\n".encode("latin-1"))
    assert texts(path) == ["grün"]
    path.write_bytes("grün\nblau\n".encode("utf-16"))
    assert texts(path) == ["grün", "blau"]
    path.write_bytes(gzip.compress(b"packed\n"))
    assert texts(path) == ["packed"]


def test_a_packed_file_that_ends_early_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(gzip.compress(b"packed line\n" * 50_000)[:-9])
    with pytest.raises(InputError, match="cannot be read to its end"):
        texts(path)


def test_a_line_without_end_is_cut_not_kept_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"x" * (2 * MAX_LINE_BYTES + 7) + b"\nnext\n")
    found = texts(path)
    assert [len(text) for text in found] == [MAX_LINE_BYTES, 4]


def test_files_are_merged_by_event_time_and_keep_their_own_order(tmp_path: Path) -> None:
    one, two = tmp_path / "one.log", tmp_path / "two.log"
    one.write_text(
        "2026-03-10 06:00:01 a\n\tat b\n2026-03-10 06:00:05 c\n2026-03-10 06:00:02 late\n"
    )
    two.write_text("2026-03-10 06:00:03 x\n2026-03-10 06:00:09 y\n")
    files = parse_sources([str(one), str(two)])
    words = [line.text.split()[-1] for line in in_time_order(files, APPEND_MS)]
    assert words == ["a", "b", "x", "c", "late", "y"]


def merged(folder: Path, **contents: str) -> list[str]:
    for name, content in contents.items():
        (folder / f"{name}.log").write_text(content)
    files = parse_sources([str(folder / f"{name}.log") for name in contents])
    return [line.text.split()[-1] for line in in_time_order(files, APPEND_MS)]


def test_lines_before_the_first_stamp_go_with_it(tmp_path: Path) -> None:
    words = merged(
        tmp_path,
        one="banner\n2026-03-10 06:00:05 a\n",
        two="2026-03-10 06:00:03 x\n2026-03-10 06:00:09 y\n",
    )
    assert words == ["x", "banner", "a", "y"]


def test_a_file_without_stamps_comes_last(tmp_path: Path) -> None:
    words = merged(tmp_path, one="hello\nworld\n", two="2026-03-10 06:00:03 x\n")
    assert words == ["x", "hello", "world"]


def test_one_stamp_from_the_future_holds_back_nothing(tmp_path: Path) -> None:
    words = merged(
        tmp_path,
        one="2026-03-10 06:00:01 a\n2099-01-01 00:00:00 wrong\n2026-03-10 06:00:02 b\n",
        two="2026-03-10 06:00:03 x\n",
    )
    assert words == ["a", "wrong", "b", "x"]


def test_a_merge_holds_few_lines_of_each_file(tmp_path: Path) -> None:
    """What lies behind is not read before its turn: here it could not be."""
    line = b"2026-03-10 06:00:01 tick\n"
    (tmp_path / "a.log").write_bytes(line)
    (tmp_path / "b.log").write_bytes(gzip.compress(line * 500_000)[:-9])
    files = parse_sources([str(tmp_path / "a.log"), str(tmp_path / "b.log")])
    lines = in_time_order(files, APPEND_MS)
    assert [next(lines).file.path.name for _ in range(2_000)].count("b.log") == 1_999
    with pytest.raises(InputError, match="cannot be read to its end"):
        for _ in lines:
            pass


def test_whether_lines_say_when_they_happened(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("no time here\n")
    assert not has_stamps(LogFile(path, "a/b/c"), APPEND_MS)
    path.write_text('no time here\n{"time": "2026-03-10T06:00:00Z", "msg": "boom"}\n')
    assert has_stamps(LogFile(path, "a/b/c"), APPEND_MS)


def test_ingest_reads_what_replay_writes() -> None:
    file = LogFile(Path("app.log"), "prod/shop/pay")
    value = raw_value(file, 'said "no" \\ to ü')
    (entry,) = read_value(value, ReducerOptions())
    assert entry.text == 'said "no" \\ to ü'
    assert entry.claim.service == "prod/shop/pay"
    assert entry.time_ms is None


def test_one_key_has_one_partition() -> None:
    places = {partition_of(b"prod/shop/pay/app.log", 6) for _ in range(3)}
    assert len(places) == 1
    assert {partition_of(b"%d" % n, 4) for n in range(100)} == {0, 1, 2, 3}
